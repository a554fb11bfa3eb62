"""`manage.py sandbox`: as a real process, and telling a running one what to do."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.management import CommandError, call_command

from tradingsite.env import SANDBOX_KEYS
from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.sandbox.server import SandboxServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*arguments, state=tmp_path / "state.json"):
        process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", *arguments, *(["--state", str(state)] if state else [])],
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


@pytest.fixture
def server(monkeypatch):
    with SandboxServer() as server:
        monkeypatch.setattr(settings, "SANDBOX_PORT", server.port)
        yield server


def first_line(process):
    assert select.select([process.stdout], [], [], 30)[0], "nothing was printed"
    return process.stdout.readline()


def told(*arguments):
    out = StringIO()
    call_command("sandbox", *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.parametrize(
    ("number", "arguments", "relay"),
    [(signal.SIGTERM, (), None), (signal.SIGINT, ("--relay",), "https://api.upbit.com")],
)
def test_it_says_what_it_is_and_stops_at_once(start, tmp_path, number, arguments, relay):
    process = start("--port", "0", "--seed", "7", *arguments)
    line = json.loads(first_line(process))
    with requests.Session() as session:
        assert "sandbox" in session.get(line["url"], timeout=10).text  # and the connection stays open
        process.send_signal(number)

        assert process.wait(timeout=5) == 0  # a second is the promise; the rest is for a busy machine
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", line["url"])
    assert (line["event"], line["seed"], line.get("relay")) == ("sandbox.started", 7, relay)
    assert line["state"] == str(tmp_path / "state.json")
    assert (tmp_path / "state.json").exists()


def test_it_says_to_whom_it_relays(start):
    with SandboxServer(seed=7) as upstream:
        line = json.loads(first_line(start("--port", "0", "--relay", upstream.url)))
        answer = requests.get(f"{line['url']}/v1/market/all", timeout=10)

        assert line["relay"] == upstream.url
        assert answer.status_code == 200
        assert upstream.requests[-1].request.target.startswith("/v1/market/all")


def test_by_default_the_state_is_kept_beside_the_other_data(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    with (
        SandboxServer(state_file=tmp_path / "sandbox-exchange.json"),
        pytest.raises(CommandError, match=r"another sandbox uses .*sandbox-exchange\.json.*--state"),
    ):
        call_command("sandbox", port=0)


def test_an_address_to_relay_to_that_is_none_is_refused(tmp_path):
    with pytest.raises(CommandError, match="the relay's URL is 'upbit'"):
        call_command("sandbox", port=0, relay="upbit", state=tmp_path / "state.json")


def test_a_taken_port_is_named_with_the_variable_to_set():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port}: it is in use. Set SANDBOX_PORT"):
            call_command("sandbox", port=port)


def test_a_port_that_does_not_exist_is_refused():
    with pytest.raises(CommandError, match=r"port 70000: .*0-65535.*SANDBOX_PORT"):
        call_command("sandbox", port=70000)


def test_the_default_port_is_the_settings(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(settings, "SANDBOX_PORT", port)
        with pytest.raises(CommandError, match=f"port {port}: it is in use"):
            call_command("sandbox")


@pytest.mark.parametrize("arguments", [(), ("fault", "list"), ("answer", "BUY")])
def test_without_a_port_it_says_what_to_set(monkeypatch, arguments):
    monkeypatch.setattr(settings, "SANDBOX_PORT", None)
    with pytest.raises(CommandError, match="no port is set: set SANDBOX_PORT"):
        call_command("sandbox", *arguments)


def test_the_site_sends_the_key_that_the_sandbox_knows():
    assert SANDBOX_KEYS["gemini_api_key"] == GEMINI_KEY


def test_an_answer_is_ordered_from_the_running_sandbox(server):
    text = told("answer", "BUY", "--confidence", "0.7", "--times", "2")

    assert text == "The model's next decisions: BUY 0.7, BUY 0.7"
    assert [opinion.decision for opinion in server.model.queued] == ["BUY", "BUY"]


def test_faults_are_added_listed_and_cleared(server):
    added = told("fault", "add", "503", "--path", "/v1/ticker*", "--nth", "3", "--times", "5")
    told("fault", "add", "500", "--method", "post", "--every", "2", "--times", "0", "--after")
    told("fault", "add", "market_offline", "--market", "KRW-BTC")
    told("fault", "add", "latency", "--seconds", "0.5")
    listed = told("fault", "list")
    cleared = told("fault", "clear")

    assert added == "503: * /v1/ticker*, from request 3, 5 times; struck 0 of 0 seen"
    assert listed.splitlines() == [
        added,
        "500: POST /v1/*, from request 1, each 2., until cleared; struck 0 of 0 seen",
        "market_offline: KRW-BTC, from request 1, until cleared; struck 0 of 0 seen",
        "latency: * /v1/*, from request 1, once, 0.5 s; struck 0 of 0 seen",
    ]
    assert cleared == "No fault is armed."


def test_a_program_can_read_the_answers(server):
    added = json.loads(told("fault", "add", "429", "--json"))
    ordered = json.loads(told("answer", "HOLD", "--json"))

    assert added["faults"][0]["kind"] == "429"
    assert ordered["queued"][0]["decision"] == "HOLD"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fault", "add", "nope"), "invalid choice: 'nope'"),
        (("fault", "add", "market_offline"), "market_offline needs one"),
        (("fault", "add", "503", "--nth", "0"), "nth is 0: it must be between 1"),
        (("fault",), "required"),
        (("answer", "WAIT"), "invalid choice: 'WAIT'"),
        (("answer", "BUY", "--confidence", "72"), "confidence is 72: it must be between 0 and 1"),
        (("answer", "BUY", "--confidence", "high"), "confidence is 'high': it must be a number"),
    ],
)
def test_what_makes_no_sense_is_refused(server, arguments, message):
    with pytest.raises(CommandError, match=message):
        told(*arguments)

    assert server.faults.armed() == []
    assert not server.model.queued


def test_it_says_when_none_is_running_and_how_to_start_one(server):
    server.stop()
    server._thread.join()
    server.close()

    with pytest.raises(CommandError, match=rf"port {server.port}: start one with `make run`"):
        told("fault", "list")


def test_the_port_may_stand_before_or_after_what_is_told(server, monkeypatch):
    monkeypatch.setattr(settings, "SANDBOX_PORT", 1)
    port = str(server.port)

    assert (
        told("--port", port, "fault", "list") == told("fault", "list", "--port", port) == "No fault is armed."
    )


def test_the_help_has_examples_and_every_kind(capsys):
    with pytest.raises(SystemExit):
        call_command("sandbox", "fault", "add", "--help")
    text = capsys.readouterr().out

    assert "manage.py sandbox fault add drop_after --path /v1/orders --method POST\n" in text
    assert "the connection is reset before the request is processed" in text
    assert "model_429_day" in text
