"""Connections that end when a call's time is over, whatever the peer does (docs/upbit-client.md U3, U15).

The timeouts of `requests` are for each address of a name and for each read of the socket: a name with four
silent addresses takes four connect timeouts, and a peer that sends one byte a second is never late. Here
every connect and every read gets what is left of the call. A name lookup cannot be interrupted: see
`http.Http`.
"""

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from tradingsite.clients.deadline import Deadline


@dataclass
class Bounds:
    """How long one connect and one read may take, and when all must be over.

    `sending` is set before the first byte of a request is given to a connected socket, after the TLS
    handshake. While it is False the peer cannot have seen the request.
    """

    connect_s: float
    read_s: float
    deadline: Deadline
    sending: bool = False

    def for_connect_s(self) -> float:
        """Return the time for one connect. Raises TimeoutError when the call's time is over."""
        return self._at_most(self.connect_s)

    def for_read_s(self) -> float:
        """Return the time for one read. Raises TimeoutError when the call's time is over."""
        return self._at_most(self.read_s)

    def _at_most(self, limit_s: float) -> float:
        left_s = self.deadline.left_s()
        if left_s <= 0:
            raise TimeoutError("the time for this call is over")
        return min(limit_s, left_s)


_bounds: ContextVar[Bounds] = ContextVar("bounds")


@contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """Hold what a session from `new_session` does inside, in this thread, to `bounds`."""
    token = _bounds.set(bounds)
    try:
        yield
    finally:
        _bounds.reset(token)


class _BoundedReads(io.RawIOBase):
    """A socket's reading side. Each read gets the time that is left."""

    def __init__(self, sock: socket.socket, bounds: Bounds) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._bounds = bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._bounds.for_read_s())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReads(sock, _bounds.get()))


class _BoundedHTTPConnection(HTTPConnection):
    response_class = _BoundedResponse

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _bounds.get().sending = True
        super().send(data)

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failures: list[HTTPError] = []
        for family, kind, protocol, _, address in found:
            try:
                return self._connected((family, kind, protocol), address)
            except HTTPError as failure:
                failures.append(failure)
        raise failures[-1]

    def _connected(self, kind: tuple[int, int, int], address: Any) -> socket.socket:
        bounds = _bounds.get()
        try:
            with ExitStack() as on_failure:
                sock = on_failure.enter_context(socket.socket(*kind))
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(bounds.for_connect_s())
                sock.connect(address)
                sock.settimeout(bounds.for_connect_s())  # for a TLS handshake, which is one timeout in all
                on_failure.pop_all()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "the connect timed out") from error
        except OSError as error:
            raise NewConnectionError(self, f"cannot connect: {error.strerror}") from error
        return sock


class _BoundedHTTPSConnection(_BoundedHTTPConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _BoundedHTTPConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedHTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def new_session() -> requests.Session:
    """Return a session for use inside `bounded`."""
    return confined(requests.Session())


def confined(session: requests.Session) -> requests.Session:
    """Return `session` for use inside `bounded`: no proxy, netrc or CA of the environment, no cookies."""
    session.trust_env = False  # or HTTP_PROXY would take calls of the loopback sandbox elsewhere
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
