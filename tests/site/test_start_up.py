"""What a command may import before it does its own work: each costs every start (docs/performance.md)."""

import os
import re
import subprocess
import sys

import pytest

# What only some commands need: tracebacks in colour, the clients, the runbook, what runs jobs.
NEVER_AT_START = {
    "rich.console", "pygments", "requests", "urllib3", "jwt", "cryptography", "tenacity", "markdown_it",
    "google", "psutil", "tradingsite.jobs.tasks", "tradingsite.clients.http",
}  # fmt: skip
# The checks import each source of METRIC_SOURCES, to say when one is wrong.
NEVER_AT_SETUP = NEVER_AT_START | {"prometheus_client", "tradingsite.urls"}


def imported_by(command: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "manage.py", command],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tradingsite.settings"},
        capture_output=True, text=True, timeout=110, check=True,
    )  # fmt: skip
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("command", "never"),
    [("diffsettings", NEVER_AT_SETUP), ("check", NEVER_AT_START)],
    ids=["setup", "check"],
)
def test_a_command_starts_without_libraries_it_does_not_need(command, never):
    imported = imported_by(command)

    assert "django.contrib.admin" in imported, "nothing was measured"
    assert imported & never == set()
