"""How `make run` starts: what it refuses, how it is interrupted, and what it waits for."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from tests.site.processes import free_port, own_environ, processes_on
from tradingsite.env import Environment
from tradingsite.run import announce, commands

LIVE = Environment(
    trading_mode="live", secret_key=SecretStr("k" * 50), health_token=SecretStr("a-token-for-monitors")
)
RUN = [sys.executable, "-m", "tradingsite.run"]


def refused(tmp_path, **variables):
    result = subprocess.run(
        RUN, env=own_environ(VAR_DIR=str(tmp_path), **variables), capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    return result.stderr


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "Cannot assign requested address"), ("no-such-host.invalid", "not known|name resolution")],
)
def test_address_that_cannot_be_listened_on_is_refused_with_the_real_reason(tmp_path, host, reason):
    message = refused(tmp_path, HOST=host, PORT="8765")

    assert message.startswith(f"Cannot listen on {host} with PORT=8765: ")
    assert any(words in message for words in reason.split("|"))
    assert "taken" not in message


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_taken_port_is_refused_in_either_protocol(tmp_path, host, family):
    with socket.socket(family) as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]

        assert f"Port {port} is taken" in refused(tmp_path, HOST=host, PORT=str(port))


@pytest.fixture
def var_dir():
    folder = Path(
        tempfile.mkdtemp(prefix="run-")
    )  # not tmp_path: as root that is closed to PostgreSQL's user
    folder.chmod(0o711)
    yield folder / "var"
    shutil.rmtree(folder)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_signal_during_the_preparation_ends_everything_without_a_traceback(var_dir, how):
    with subprocess.Popen(
        RUN,
        env=own_environ(VAR_DIR=str(var_dir), PORT=str(free_port())),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert "Preparing" in process.stdout.readline()
        started = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, how)  # as a terminal does it
        rest = process.stdout.read()

    assert process.returncode == 128 + how
    assert rest == ""
    assert psutil.wait_procs({*started, *processes_on(var_dir)}, timeout=60)[1] == []


def test_wrong_variable_is_refused_in_one_sentence(tmp_path):
    assert refused(tmp_path, WEB_WORKERS="many").startswith("WEB_WORKERS: 'many': ")


def test_site_that_cannot_be_prepared_is_not_started(databases, tmp_path):
    database = databases.create()
    database.query("CREATE TABLE database_mode (id int, mode text, stamped_at timestamptz)")
    database.query("INSERT INTO database_mode VALUES (1, 'live', now())")

    message = refused(tmp_path, DATABASE_URL=database.url, PORT=str(free_port()))

    assert "belongs to live mode" in message


def test_live_mode_runs_no_sandbox():
    assert set(commands(LIVE)) == {"web", "scheduler"}
    assert set(commands(Environment(trading_mode="sandbox"))) == {"web", "scheduler", "sandbox"}


class Redirecting(BaseHTTPRequestHandler):
    """A site in live mode: ready, and everything else is redirected to https."""

    def do_GET(self):
        ready = self.path == "/readyz"
        self.send_response(200 if ready else 301)
        if not ready:
            self.send_header("Location", f"https://{self.headers['Host']}{self.path}")
        self.end_headers()

    def log_message(self, *_):
        """Log nothing."""


class WithoutScheduler(BaseHTTPRequestHandler):
    """A site in sandbox mode without its scheduler."""

    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()
        components = [{"name": "database", "status": "healthy"}, {"name": "scheduler", "status": "unhealthy"}]
        self.wfile.write(json.dumps({"components": components}).encode())

    def log_message(self, *_):
        """Log nothing."""


class RedirectingOnIpv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.parametrize(
    ("server_class", "host", "shown"),
    [
        (ThreadingHTTPServer, "127.0.0.1", "http://127.0.0.1"),
        (ThreadingHTTPServer, "0.0.0.0", "http://127.0.0.1"),  # noqa: S104 - the case itself
        (RedirectingOnIpv6, "::1", "http://[::1]"),
        (RedirectingOnIpv6, "::", "http://[::1]"),
    ],
)
def test_live_mode_is_announced_when_it_is_ready(capsys, monkeypatch, server_class, host, shown):
    monkeypatch.setattr("tradingsite.run.ANNOUNCE_WITHIN_S", 0)
    with server_class((host, 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        announce(LIVE.model_copy(update={"host": host, "port": server.server_port}))
        server.shutdown()

    output = capsys.readouterr().out
    assert f"{shown}:{server.server_port}/status/" in output
    assert "Not answering" not in output
    assert "Login" not in output


def test_component_that_does_not_answer_in_time_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tradingsite.run.ANNOUNCE_WITHIN_S", 0)
    site = Environment(trading_mode="sandbox", health_token=LIVE.health_token, var_dir=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), WithoutScheduler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        announce(site.model_copy(update={"port": server.server_port}))
        server.shutdown()
    announce(site.model_copy(update={"port": server.server_port}))

    without_scheduler, without_web = capsys.readouterr().out.split("Stop ")[:2]
    assert "Not answering after 0 s: scheduler." in without_scheduler
    assert "Not answering after 0 s: web (" in without_web
