"""`manage.py sandbox` as a real process."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.management import CommandError, call_command

from tradingsite.env import SANDBOX_KEYS
from tradingsite.sandbox.options import GEMINI_KEY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start():
    running = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", *arguments],
            cwd=ROOT,
            env={**os.environ, "LOG_FORMAT": "json"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def first_line(process):
    assert select.select([process.stdout], [], [], 30)[0], "nothing was printed"
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_stops_at_once(start, number):
    process = start("--port", "0", "--seed", "7")
    line = first_line(process)
    [url] = re.findall(r"http://127\.0\.0\.1:\d+", line)
    with requests.Session() as session:
        assert "sandbox" in session.get(url, timeout=10).text  # and the connection stays open
        process.send_signal(number)

        assert process.wait(timeout=5) == 0  # a second is the promise; the rest is for a busy machine
    assert "sandbox.started" in line
    assert '"seed": 7' in line


def test_a_taken_port_is_named_with_the_variable_to_set():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port}: it is taken. Set SANDBOX_PORT"):
            call_command("sandbox", port=port)


def test_a_port_that_does_not_exist_is_refused():
    with pytest.raises(CommandError, match=r"port 70000: .*0-65535.*SANDBOX_PORT"):
        call_command("sandbox", port=70000)


def test_the_default_port_is_the_settings(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(settings, "SANDBOX_PORT", port)
        with pytest.raises(CommandError, match=f"port {port}: it is taken"):
            call_command("sandbox")


def test_without_a_port_it_says_what_to_set(monkeypatch):
    monkeypatch.setattr(settings, "SANDBOX_PORT", None)
    with pytest.raises(CommandError, match="no port is set: set SANDBOX_PORT"):
        call_command("sandbox")


def test_the_site_sends_the_key_that_the_sandbox_knows():
    assert SANDBOX_KEYS["gemini_api_key"] == GEMINI_KEY
