"""An HTTP server on loopback with scripted replies, broken ones too, and a clock moved by hand."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tradingsite.clients.connection import Bounds
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock

CERTIFICATE = Path(__file__).with_name("loopback.pem")
LONG_TIMEOUT_S = 30.0
"""The limit of waits that are expected to succeed; long enough for a very busy machine."""


@dataclass
class Reply:
    status: int = 200
    body: bytes | str = b"[]"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ReceivedRequest:
    """`connection` is the client's port: equal ports are one connection."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    connection: int
    target: str
    method: str = "GET"
    body: bytes = b""


Script = Reply | Callable[["Handler"], object]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Peer"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.requests.append(
            ReceivedRequest(
                url.path,
                parse_qs(url.query),
                headers,
                self.client_address[1],
                self.path,
                self.command,
                body,
            )
        )
        reply = self.server.next_reply()
        if isinstance(reply, Reply):
            self.reply_with(reply)
        else:
            reply(self)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def reply_with(self, reply: Reply) -> None:
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self.send_response(reply.status)
        for name, text in {"Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, start: bytes) -> None:
        """Send `start`, then a byte every 20 ms until the client goes away."""
        self.close_connection = True
        try:
            self.wfile.write(start)
            while not self.server.closing.wait(0.02):
                self.wfile.write(b"1")
        except OSError:
            pass

    def stay_silent(self) -> None:
        """Keep the connection open without an answer until the server stops."""
        self.server.closing.wait()

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


class Peer(ThreadingHTTPServer):
    """Answers with the replies of `script` in turn, then repeats the last one."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, script: Sequence[Script] = (Reply(),), scheme: str = "http") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"
        self.requests: list[ReceivedRequest] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self.script(*script)

    def script(self, *replies: Script) -> None:
        self._replies = list(replies)

    def next_reply(self) -> Script:
        with self._lock:
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def speak_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # many tests let the client go away in the middle of an answer

    @contextmanager
    def running(self) -> Iterator["Peer"]:
        thread = threading.Thread(target=self.serve_forever, args=(0.002,))
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self.shutdown()
            thread.join()
            self.server_close()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until another thread makes the condition true."""
    end = time.monotonic() + LONG_TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def extend_timeouts(patch: pytest.MonkeyPatch) -> None:
    """Extend the connect and read timeouts of the clients, so that they do not fail on a busy machine.

    With a fake clock each lasts LONG_TIMEOUT_S at least, with the system clock as long as the whole call may.
    """
    limit_s = Bounds.for_read_s

    def patient(bounds: Bounds) -> float:
        by_system_clock = bounds.deadline._clock is SYSTEM_CLOCK
        return max(limit_s(bounds), bounds.deadline.left_s() if by_system_clock else LONG_TIMEOUT_S)

    patch.setattr(Bounds, "for_read_s", patient)
    patch.setattr(Bounds, "for_connect_s", patient)


def stepping_clock(step_s: float) -> Clock:
    """Return a clock that moves by `step_s` each time it is read, however slow the machine is."""
    now_s = count(1000, step_s)
    return Clock(monotonic=lambda: next(now_s))


class FakeClock:
    """A clock that moves only by its `sleep`, which returns at once, and by assignment to `now`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()
        self.clock = Clock(monotonic=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds
