"""The environment for the project's own commands: its settings, and nothing of the test run's."""

import os


def own_environ(**variables):
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "LOG_FORMAT": "json",
        **variables,
    }
    environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # the browser tests' own
    return environ
