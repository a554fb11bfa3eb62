#!/usr/bin/env python
"""Run a management command: `manage.py help` lists them."""

import os
import sys

import tradingsite.env


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    try:
        tradingsite.env.environment()
    except tradingsite.env.InvalidEnvironment as error:
        sys.exit(f"{error}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
