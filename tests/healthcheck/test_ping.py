"""The probe that needs no Django."""

import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.healthcheck.processes import ROOT


def ping(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "healthcheck.ping", *arguments],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def answering():
    """Serve one connection: each piece after its pause."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(*pieces, pause_s=0.0):
        def one():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                for piece in pieces:
                    over.wait(pause_s)
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return

        threading.Thread(target=one, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/livez"

    yield serve
    over.set()
    listening.close()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (b"HTTP/1.0 204 No Content\r\n\r\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        (b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", 1),
        (b"SSH-2.0-OpenSSH\r\n", 1),
        (b"", 1),
    ],
)
def test_only_a_2xx_is_a_success(answering, line, code):
    assert ping(answering(line), "--timeout", "60").returncode == code


def test_a_refused_connection_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    done = ping(f"http://127.0.0.1:{port}/livez")

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("no answer: ")


def test_dripping_bytes_do_not_extend_the_limit(answering):
    url = answering(*[b"H"] * 50, pause_s=0.5)
    began_s = time.monotonic()

    assert ping(url, "--timeout", "0.5").returncode == 1
    assert time.monotonic() - began_s < 20  # of the 25 s that all of them take


@pytest.mark.parametrize("arguments", [(), ("https://127.0.0.1/",), ("http://x/", "--timeout", "soon")])
def test_wrong_arguments_print_the_usage(arguments):
    done = ping(*arguments)

    assert done.returncode == 1
    assert "usage: python -m healthcheck.ping" in done.stderr


def test_it_imports_no_django_and_little_else():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "healthcheck.ping", "http://127.0.0.1:1/"],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    for heavy in ("django", "http.client", "urllib", "ssl", "argparse"):
        assert f" {heavy}\n" not in done.stderr
