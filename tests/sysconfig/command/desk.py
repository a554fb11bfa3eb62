"""Terminals and rows for the tests of the command."""

import io
import os
from contextlib import contextmanager

from django.core.management import call_command

from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig


@contextmanager
def answering(monkeypatch, answer):
    """Let standard input be a real terminal at which `answer` is typed."""
    operator, site = os.openpty()
    with os.fdopen(site, "r") as terminal, os.fdopen(operator, "w") as keyboard:
        keyboard.write(f"{answer}\n")
        keyboard.flush()
        monkeypatch.setattr("sys.stdin", terminal)
        yield


def on_a_terminal(*arguments):
    """Run an action whose output is a real terminal; return what it printed."""
    operator, site = os.openpty()
    with os.fdopen(site, "w") as screen:
        call_command("sysconfig", *arguments, stdout=screen)
    with os.fdopen(operator, "rb") as screen:
        return screen.read1(65536).decode()


def piped(monkeypatch, text=""):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def rows():
    return dict(SystemConfig.objects.values_list("key", "value"))


def past_the_checks(key, value):
    SystemConfig.objects.filter(key=key).update(value=value)


def newest():
    change = SystemConfigChange.objects.first()
    assert change is not None
    return change
