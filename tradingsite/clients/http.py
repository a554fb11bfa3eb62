"""The HTTP client that all requests to Upbit and for Gemini's metadata go through.

Rules: docs/upbit-client.md U1, U3, U9.
"""

import json
import os
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from tradingsite.clients.connection import Bounds, bounded, new_session
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import ClientError, InvalidResponse, TimedOut, Unreachable
from tradingsite.clients.response import Answer
from tradingsite.masking import hide

MAX_BODY_BYTES = 8 * 2**20
"""Upbit's largest answer, the tickers of all markets, is under 1 MiB."""

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]

_REASONS: tuple[tuple[type[BaseException], type[Unreachable], str], ...] = (
    # The first found in the chain of causes wins; urllib3 reports a refused connection as a connect timeout.
    (urllib3.exceptions.NameResolutionError, Unreachable, "the name lookup failed"),
    (ssl.SSLError, Unreachable, "TLS failed"),
    (ConnectionRefusedError, Unreachable, "connection refused"),
    (urllib3.exceptions.NewConnectionError, Unreachable, "no connection"),
    (urllib3.exceptions.ConnectTimeoutError, TimedOut, "no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, TimedOut, "no answer in time"),
)


class Http:
    """Sends requests to one base URL, each exactly once. Threads may share it, also after a fork.

    `post` and `delete` change something at the venue: only `UpbitExchange` may call them, on an object
    without `keep_alive`, and nothing may repeat them. Requests to the model go through Google's package
    instead.

    Connect, TLS, headers and body end with the call's deadline, even if the peer sends a byte now and then. A
    name lookup does not, because nothing can interrupt the resolver: a caller that cannot wait for the
    resolver's own timeout must run the call in a thread that it can abandon, as the health engine does.

    Args:
        base_url: scheme and host, without a path or trailing slash.
        timeouts_s: for each connect (per address of the name, and the TLS handshake), and for each read.
        headers: sent with every request.
        secrets: values of the headers that no error text may show; masked in answers that repeat them.
        keep_alive: whether each thread keeps its connection between calls. False for callers that do not
            retry, because a connection that the peer has closed in the meantime would look like an outage.
        auth: signs the prepared request, so that it signs exactly what is sent.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts_s: tuple[float, float],
        headers: Mapping[str, str],
        keep_alive: bool,
        secrets: Sequence[str] = (),
        auth: AuthBase | None = None,
    ) -> None:
        self._base_url = base_url
        self._timeouts_s = timeouts_s
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        self._keep_alive = keep_alive
        self._secrets = secrets
        self._auth = auth
        self._per_thread = threading.local()

    def get(self, path: str, params: Parameters, deadline: Deadline) -> Answer:
        """Return the answer, whatever its status. Redirects are not followed.

        Raises:
            Unreachable: no complete answer arrived; if `nothing_sent`, the peer cannot have seen the request.
            InvalidResponse: the answer's body is too large or not compressed as declared.
        """
        return self._send(self._request("GET", path, params=params), f"GET {path}", deadline)

    def delete(self, path: str, params: Parameters, deadline: Deadline) -> Answer:
        """Return the answer to a DELETE. Raises the errors of `get`."""
        return self._send(self._request("DELETE", path, params=params), f"DELETE {path}", deadline)

    def post(self, path: str, body: Mapping[str, str], deadline: Deadline) -> Answer:
        """Return the answer to a POST of `body` as JSON, keys in the order given.

        Raises the errors of `get`.
        """
        request = self._request("POST", path, data=json.dumps(body).encode())
        request.headers["Content-Type"] = "application/json; charset=utf-8"
        return self._send(request, f"POST {path}", deadline)

    def _request(self, method: str, path: str, **parts: Any) -> requests.Request:
        return requests.Request(
            method, self._base_url + path, headers=dict(self._headers), auth=self._auth, **parts
        )

    def _send(self, request: requests.Request, what: str, deadline: Deadline) -> Answer:
        bounds = Bounds(*self._timeouts_s, deadline)
        try:
            with self._session() as session, bounded(bounds):
                return self._exchange(session, request, what)
        except requests.exceptions.ContentDecodingError as error:
            raise InvalidResponse(f"{what}: the body is not what its Content-Encoding says") from error
        except (OSError, urllib3.exceptions.HTTPError) as error:  # all of requests' own errors are OSErrors
            raise unreachable(what, error, bounds) from error

    def _exchange(self, session: requests.Session, request: requests.Request, what: str) -> Answer:
        prepared = session.prepare_request(request)
        answer = session.send(prepared, timeout=self._timeouts_s, allow_redirects=False, stream=True)
        _, _, token = prepared.headers.get("Authorization", "").partition(" ")
        with closing(answer):
            return read(answer, what, [*self._secrets, token])

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        if not self._keep_alive:
            with new_session() as session:
                yield session
            return
        # A forked child shares its parent's sockets and would read its parent's answers from them.
        if getattr(self._per_thread, "pid", None) != os.getpid():
            self._per_thread.pid, self._per_thread.session = os.getpid(), new_session()
        yield self._per_thread.session


def read(response: requests.Response, what: str, secrets: Sequence[str]) -> Answer:
    """Read the whole response and mask `secrets` in it. Raises InvalidResponse or OSError."""
    try:
        body = _body(response, what)
    except (OSError, InvalidResponse):
        if response.ok:
            raise
        body = b""  # the status is enough; an unreadable body must not hide a 418
    return Answer(what, response.status_code, response.headers, hide(body, secrets))


def _body(response: requests.Response, what: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(2**16):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidResponse(f"{what}: the answer is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def unreachable(what: str, error: BaseException, bounds: Bounds) -> Unreachable:
    """Return the client error for `error`, which ended a request inside `bounds`."""
    nothing_sent = not bounds.sending
    if bounds.deadline.left_s() <= 0:
        text = f"{what}: no whole answer within {bounds.deadline.within_s:g} s"
        return TimedOut(text, nothing_sent=nothing_sent)
    links = list(_chain(error))
    for kind, error_class, reason in _REASONS:
        if any(isinstance(link, kind) for link in links):
            return error_class(f"{what}: {reason}", nothing_sent=nothing_sent)
    return Unreachable(f"{what}: the connection broke", nothing_sent=nothing_sent)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # A ClientError here is one that the caller was handling when it made this call, not the cause.
    while error is not None and not isinstance(error, ClientError):
        yield error
        error = error.__cause__ or error.__context__
