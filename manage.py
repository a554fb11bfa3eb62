#!/usr/bin/env python3
"""Run a management command: `./manage.py help` lists them.

Any Python 3 will do to start it: where the requirements are missing it goes on with the Python of `.venv`.
"""

import gc
import os
import sys
from pathlib import Path
from typing import NoReturn

VENV = Path(__file__).resolve().parent / ".venv"


def main() -> None:
    gc.disable()  # until `TradingSiteConfig.ready`: what imports make is never garbage
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    try:
        import tradingsite.env
    except ImportError as error:
        go_on_in_venv(error)
    try:
        tradingsite.env.environment()
    except tradingsite.env.InvalidEnvironment as error:
        sys.exit(f"{error}")
    from django.core.management import execute_from_command_line

    from tradingsite.embedded_postgres.folder import EmbeddedPostgresError

    try:
        execute_from_command_line(sys.argv)
    except EmbeddedPostgresError as error:
        sys.exit(f"{error}")


def go_on_in_venv(missing: ImportError) -> NoReturn:
    """Become the same command under the Python of `.venv`, unless that is the present one."""
    python = VENV / "bin" / "python"
    here = Path(sys.prefix).resolve() == VENV.resolve()
    if here and (missing.name or "").startswith("tradingsite"):
        raise missing  # a fault of ours, which no installation mends
    if here or not python.exists():
        sys.exit(f"{missing}. Run `make install` in {VENV.parent}: it installs the requirements into .venv.")
    arguments = getattr(sys, "orig_argv", [sys.executable, *sys.argv])  # with -W and -X, from Python 3.10 on
    os.execv(python, [str(python), *arguments[1:]])  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
