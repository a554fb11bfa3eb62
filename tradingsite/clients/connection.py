"""HTTP connections that respect one deadline per call, whatever the peer does (docs/upbit-client.md U3, U15).

The timeouts of `requests` apply to each address of a host name and to each socket read: a name with four
silent addresses takes four connect timeouts, and a peer that sends one byte a second never times out. Here
every connect and every read gets only the time left of the call. A name lookup cannot be interrupted: see
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
    """Timeouts of one call: per connect, per read, and for everything together.

    `sending` becomes True just before the first byte of the request goes to the connected socket, after the
    TLS handshake. While it is False the peer cannot have seen the request.
    """

    connect_s: float
    read_s: float
    deadline: Deadline
    sending: bool = False

    def for_connect_s(self) -> float:
        """Return the timeout for one connect. Raises TimeoutError if the deadline has passed."""
        return self._capped(self.connect_s)

    def for_read_s(self) -> float:
        """Return the timeout for one read. Raises TimeoutError if the deadline has passed."""
        return self._capped(self.read_s)

    def _capped(self, limit_s: float) -> float:
        left_s = self.deadline.left_s()
        if left_s <= 0:
            raise TimeoutError("the time for this call is over")
        return min(limit_s, left_s)


_bounds: ContextVar[Bounds] = ContextVar("bounds")


@contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """Apply `bounds` to requests of a session from `new_session` in this block and thread."""
    token = _bounds.set(bounds)
    try:
        yield
    finally:
        _bounds.reset(token)


class _BoundedReads(io.RawIOBase):
    """The receiving side of a socket. Each read may take only the time left."""

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
                # For the TLS handshake, which has one timeout as a whole.
                sock.settimeout(bounds.for_connect_s())
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
    return isolated(requests.Session())


def isolated(session: requests.Session) -> requests.Session:
    """Prepare `session` for use inside `bounded`.

    No cookies, and no proxy, netrc or CA of the environment.
    """
    session.trust_env = False  # otherwise HTTP_PROXY would redirect calls to the local sandbox
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
