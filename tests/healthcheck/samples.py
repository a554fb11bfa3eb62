"""Probes with dotted paths: those of the process tests, and a place where a test puts its own functions."""

import os
import threading
from pathlib import Path

from healthcheck import probes
from healthcheck.report import Finding

PLANTED_SECRET = "planted-secret-93b1f7"


def fine() -> Finding:
    _note("fine")
    return Finding("healthy", "took %(steps)d steps at 10.1.2.3", steps=3)


def warns() -> Finding:
    _note("warns")
    return Finding("warning", "late by %(late_s)d s, limit 60 s", late_s=90)


def database() -> Finding:
    """Run the real probe with limits that a busy machine keeps."""
    probes._POOL_WAIT_S = probes._READ_LIMIT_S = 30
    return probes.database()


def hangs() -> Finding:
    _note("hangs")
    threading.Event().wait()
    raise AssertionError


def crashes() -> Finding:
    _note("crashes")
    raise RuntimeError(f"could not sign in with {PLANTED_SECRET}")


def _note(name: str) -> None:
    """Add a line to the file that counts runs, if this is one of the processes that are counted."""
    if path := os.environ.get("PROBE_RUNS"):
        with Path(path).open("a") as runs:
            runs.write(f"{name} {os.getpid()}\n")
