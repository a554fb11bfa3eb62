"""The environment of the project's own commands, without the test run's settings."""

import os
import socket

import psutil


def own_environ(**variables):
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
        "LOG_FORMAT": "json",
        **variables,
    }
    environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # the browser tests' own
    return environ


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_on(folder):
    """Return the processes with that folder in their command line."""
    return {
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
    }
