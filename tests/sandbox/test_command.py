"""`manage.py sandbox`: the server as a process, and the subcommands that control a running one."""

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
    assert select.select([process.stdout], [], [], 60)[0], "nothing was printed"
    return process.stdout.readline()


def output_of(*arguments):
    out = StringIO()
    call_command("sandbox", *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.parametrize(
    ("number", "arguments", "relay"),
    [(signal.SIGTERM, (), None), (signal.SIGINT, ("--relay",), "https://api.upbit.com")],
)
def test_command_prints_its_start_and_stops_on_a_signal(start, tmp_path, number, arguments, relay):
    process = start("--port", "0", "--seed", "7", *arguments)
    line = json.loads(first_line(process))
    with requests.Session() as session:
        assert "sandbox" in session.get(line["url"], timeout=30).text  # and the connection stays open
        process.send_signal(number)

        assert process.wait(timeout=60) == 0  # the open connection alone would hold it for ever
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", line["url"])
    assert (line["event"], line["seed"], line.get("relay")) == ("sandbox.started", 7, relay)
    assert line["state"] == str(tmp_path / "state.json")
    assert (tmp_path / "state.json").exists()


def test_command_prints_its_relay_url(start):
    with SandboxServer(seed=7) as upstream:
        line = json.loads(first_line(start("--port", "0", "--relay", upstream.url)))
        answer = requests.get(f"{line['url']}/v1/market/all", timeout=30)

        assert line["relay"] == upstream.url
        assert answer.status_code == 200
        assert upstream.requests[-1].request.target.startswith("/v1/market/all")


def test_default_state_file_is_in_the_var_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    with (
        SandboxServer(state_file=tmp_path / "sandbox-exchange.json"),
        pytest.raises(CommandError, match=r"another sandbox uses .*sandbox-exchange\.json.*--state"),
    ):
        call_command("sandbox", port=0)


def test_malformed_relay_url_is_refused(tmp_path):
    with pytest.raises(CommandError, match="the relay's URL is 'upbit'"):
        call_command("sandbox", port=0, relay="upbit", state=tmp_path / "state.json")


def test_taken_port_error_names_the_variable_to_set():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port}: it is in use. Set SANDBOX_PORT"):
            call_command("sandbox", port=port)


def test_invalid_port_is_refused():
    with pytest.raises(CommandError, match=r"port 70000: .*0-65535.*SANDBOX_PORT"):
        call_command("sandbox", port=70000)


def test_default_port_comes_from_the_settings(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(settings, "SANDBOX_PORT", port)
        with pytest.raises(CommandError, match=f"port {port}: it is in use"):
            call_command("sandbox")


@pytest.mark.parametrize("arguments", [(), ("fault", "list"), ("answer", "BUY")])
def test_missing_port_error_names_the_variable_to_set(monkeypatch, arguments):
    monkeypatch.setattr(settings, "SANDBOX_PORT", None)
    with pytest.raises(CommandError, match="no port is set: set SANDBOX_PORT"):
        call_command("sandbox", *arguments)


def test_gemini_key_of_the_site_is_the_sandboxs():
    assert SANDBOX_KEYS["gemini_api_key"] == GEMINI_KEY


def test_answer_presets_the_decisions_of_the_running_sandbox(server):
    text = output_of("answer", "BUY", "--confidence", "0.7", "--times", "2")

    assert text == "The model's next decisions: BUY 0.7, BUY 0.7"
    assert [opinion.decision for opinion in server.model.queued] == ["BUY", "BUY"]


def test_faults_are_added_listed_and_cleared(server):
    added = output_of("fault", "add", "503", "--path", "/v1/ticker*", "--nth", "3", "--times", "5")
    output_of("fault", "add", "500", "--method", "post", "--every", "2", "--times", "0", "--after")
    output_of("fault", "add", "market_offline", "--market", "KRW-BTC")
    output_of("fault", "add", "latency", "--seconds", "0.5")
    listed = output_of("fault", "list")
    cleared = output_of("fault", "clear")

    assert added == "503: * /v1/ticker*, from request 3, 5 times; struck 0 of 0 seen"
    assert listed.splitlines() == [
        added,
        "500: POST /v1/*, from request 1, each 2., until cleared; struck 0 of 0 seen",
        "market_offline: KRW-BTC, from request 1, until cleared; struck 0 of 0 seen",
        "latency: * /v1/*, from request 1, once, 0.5 s; struck 0 of 0 seen",
    ]
    assert cleared == "No fault is armed."


def test_json_option_prints_json(server):
    added = json.loads(output_of("fault", "add", "429", "--json"))
    ordered = json.loads(output_of("answer", "HOLD", "--json"))

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
def test_invalid_arguments_are_refused(server, arguments, message):
    with pytest.raises(CommandError, match=message):
        output_of(*arguments)

    assert server.faults.armed() == []
    assert not server.model.queued


def test_error_says_how_to_start_a_sandbox_when_none_runs(server):
    server.stop()
    server._thread.join()
    server.close()

    with pytest.raises(CommandError, match=rf"port {server.port}: start one with `make run`"):
        output_of("fault", "list")


def test_port_option_is_accepted_before_and_after_the_subcommand(server, monkeypatch):
    monkeypatch.setattr(settings, "SANDBOX_PORT", 1)
    port = str(server.port)

    assert (
        output_of("--port", port, "fault", "list")
        == output_of("fault", "list", "--port", port)
        == "No fault is armed."
    )


def test_help_has_examples_and_every_fault_kind(capsys):
    with pytest.raises(SystemExit):
        call_command("sandbox", "fault", "add", "--help")
    text = capsys.readouterr().out

    assert "manage.py sandbox fault add drop_after --path /v1/orders --method POST\n" in text
    assert "the connection is reset before the request is processed" in text
    assert "model_429_day" in text
