"""The sandbox's HTTP/1.1 server on loopback, based on the standard library (docs/dependencies.md)."""

import logging
import os
import socket
import socketserver
import struct
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock
from typing import Any
from urllib.parse import unquote

from tradingsite.sandbox.http.messages import Request, Response, text_response

HOST = "127.0.0.1"
_LARGEST_BODY = 1 << 20
_logger = logging.getLogger(__name__)


class HttpServer(ThreadingHTTPServer):
    """Passes requests to `answer`. `now_ms` gives the time of requests and of `Date` headers."""

    daemon_threads = True  # an idle client must not keep the process alive
    request_queue_size = 128
    allow_reuse_port = False  # if two sandboxes shared a port, each would get some of the requests

    def __init__(self, port: int, answer: Callable[[Request], Response], now_ms: Callable[[], int]) -> None:
        self.answer = answer
        self.now_ms = now_ms
        self.stopping = Event()
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own looks up the host name, which may be slow

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close every connection, idle ones too, because a stopped exchange does not answer."""
        self.stopping.set()
        with self._lock:
            for connection in self._connections:
                _shut_down(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):  # clients may disconnect at any time
            _logger.error("sandbox.handler_failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    disable_nagle_algorithm = True  # with the buffering below, an answer is one write, sent at once
    wbufsize = -1
    timeout = 30  # seconds without data until the connection is closed

    def _handle(self) -> None:
        at_ms = self.server.now_ms()
        body = self._body()
        if isinstance(body, Response):
            self.close_connection = True  # the unread body would be parsed as the next request
            self._send(body, at_ms)
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(
            method=self.command,
            target=self.path,
            path=unquote(path),
            query=query,
            headers=headers,
            body=body,
            client=self.client_address[0],
            at_ms=at_ms,
        )
        self._send(self.server.answer(request), at_ms)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - looked up by name

    def _body(self) -> bytes | Response:
        """Read the body even of a refused request, otherwise it would be parsed as the next request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return text_response("Send a Content-Length.\n", HTTPStatus.LENGTH_REQUIRED)
        if not (length.isascii() and length.isdigit()):
            return text_response("Content-Length is not a number.\n", HTTPStatus.BAD_REQUEST)
        if int(length) > _LARGEST_BODY:
            return text_response("The body is too large.\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.rfile.read(int(length))

    def _send(self, response: Response, at_ms: int) -> None:
        if response.delivery.delay_s and self.server.stopping.wait(response.delivery.delay_s):
            self.close_connection = True
            return
        if response.delivery.reset:
            self._reset()
            return
        self.send_response_only(response.status)
        self.send_header("Server", self.version_string())
        self.send_header("Date", self.date_time_string(at_ms // 1000))
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if response.delivery.byte_every_s:
            self._trickle(response)
        else:
            self.wfile.write(response.body)

    def _trickle(self, response: Response) -> None:
        """Send the headers at once and the body byte by byte."""
        for byte in response.body:
            self.wfile.flush()
            if self.server.stopping.wait(response.delivery.byte_every_s):
                self.close_connection = True
                return
            self.wfile.write(bytes((byte,)))

    def _reset(self) -> None:
        """Reset the TCP connection instead of closing it."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The request's file objects keep the socket open, so close the descriptor itself.
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Log nothing: requests are recorded in memory, and a line each would flood the log."""


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client has closed it already
