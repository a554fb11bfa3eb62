"""The one place where we talk HTTP. Reads only: GET."""

import os
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import requests
import urllib3.exceptions

from tradingsite.clients.answer import Answer
from tradingsite.clients.connection import Bounds, bounded, new_session
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import ClientError, InvalidResponse, TimedOut, Unreachable

MAX_BODY_BYTES = 8 * 2**20
"""Upbit's largest answer, every ticker, is under 1 MiB."""

_SHORTEST_SECRET = 8
_REASONS: tuple[tuple[type[BaseException], type[Unreachable], str], ...] = (
    # The first that is anywhere in the chain of causes; for urllib3 a refusal is a kind of connect timeout.
    (urllib3.exceptions.NameResolutionError, Unreachable, "the name lookup failed"),
    (ssl.SSLError, Unreachable, "TLS failed"),
    (ConnectionRefusedError, Unreachable, "connection refused"),
    (urllib3.exceptions.NewConnectionError, Unreachable, "no connection"),
    (urllib3.exceptions.ConnectTimeoutError, TimedOut, "no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, TimedOut, "no answer in time"),
)


class Http:
    """GETs at one base URL. One object may be used by many threads, and after a fork.

    Connect, TLS, headers and body end with the call's deadline, also when the peer drips bytes. A name lookup
    does not: nothing can interrupt it. Who cannot wait for the resolver's own limit calls from a thread that
    may be left behind, as the health engine does.

    Args:
        base_url: scheme and host, without a path or trailing slash.
        timeouts_s: for a connect (each address of the name, and the TLS handshake), and for each read.
        headers: sent with every request.
        secrets: those of the headers' values that no error text may show. An answer that repeats one has it
            masked before anybody reads it.
        keep_alive: whether threads keep their connection between calls. A caller that does not retry says no:
            a connection that the peer closed meanwhile would look like an outage.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts_s: tuple[float, float],
        headers: Mapping[str, str],
        keep_alive: bool,
        secrets: Sequence[str] = (),
    ) -> None:
        self._base_url = base_url
        self._timeouts_s = timeouts_s
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        self._keep_alive = keep_alive
        # A shorter text is in every answer by chance.
        self._secrets = [secret.encode() for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        self._kept = threading.local()

    def get(self, path: str, params: Mapping[str, str], deadline: Deadline) -> Answer:
        """Return the answer, whatever its status. Redirects are not followed.

        Raises:
            Unreachable: no whole answer arrived.
            InvalidResponse: the body is too large or wrongly compressed.
        """
        what = f"GET {path}"
        bounds = Bounds(*self._timeouts_s, deadline)
        try:
            with self._session() as session, bounded(bounds):
                return self._exchange(session, what, path, params)
        except requests.exceptions.ContentDecodingError as error:
            raise InvalidResponse(f"{what}: the body is not what its Content-Encoding says") from error
        except (OSError, urllib3.exceptions.HTTPError) as error:  # all of requests' own errors are OSErrors
            raise _unreachable(what, error, deadline) from error

    def _exchange(self, session: requests.Session, what: str, path: str, params: Mapping[str, str]) -> Answer:
        answer = session.get(
            self._base_url + path,
            params=params,
            headers=self._headers,
            timeout=self._timeouts_s,
            allow_redirects=False,
            stream=True,
        )
        with closing(answer):
            body = _body(answer, what) if answer.ok else _error_body(answer, what)
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return Answer(what, answer.status_code, answer.headers, body)

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        if not self._keep_alive:
            with new_session() as session:
                yield session
            return
        # A fork shares its parent's sockets: two processes on one connection read each other's answers.
        if getattr(self._kept, "pid", None) != os.getpid():
            self._kept.pid, self._kept.session = os.getpid(), new_session()
        yield self._kept.session


def _body(answer: requests.Response, what: str) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(2**16):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidResponse(f"{what}: the answer is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _error_body(answer: requests.Response, what: str) -> bytes:
    # The status has already said what matters; a body that cannot be read must not hide a 418.
    try:
        return _body(answer, what)
    except (OSError, InvalidResponse):
        return b""


def _unreachable(what: str, error: BaseException, deadline: Deadline) -> Unreachable:
    if deadline.left_s() <= 0:
        return TimedOut(f"{what}: no whole answer within {deadline.within_s:g} s")
    links = list(_chain(error))
    for kind, unreachable, reason in _REASONS:
        if any(isinstance(link, kind) for link in links):
            return unreachable(f"{what}: {reason}")
    return Unreachable(f"{what}: the connection broke")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # What the caller was dealing with when it called us is not the cause.
    while error is not None and not isinstance(error, ClientError):
        yield error
        error = error.__cause__ or error.__context__
