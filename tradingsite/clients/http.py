"""The one place where we talk HTTP."""

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
"""Upbit's largest answer, every ticker, is under 1 MiB."""

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]

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
    """Requests to one base URL, each sent once. One object may be used by many threads, and after a fork.

    `get` is for everybody. `post` and `delete` act: only `UpbitExchange` may use them, from an object without
    `keep_alive`, and nothing may repeat them. The model's one POST is the SDK's, not this.

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
        auth: signs each request when it is ready to be sent, with what is really sent before its eyes.
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
        self._kept = threading.local()

    def get(self, path: str, params: Parameters, deadline: Deadline) -> Answer:
        """Return the answer, whatever its status. Redirects are not followed.

        Raises:
            Unreachable: no whole answer arrived; with `nothing_sent` the peer cannot have seen the request.
            InvalidResponse: an answer came, but its body is too large or wrongly compressed.
        """
        return self._send(self._request("GET", path, params=params), f"GET {path}", deadline)

    def delete(self, path: str, params: Parameters, deadline: Deadline) -> Answer:
        """Return the answer to a DELETE. Raises as `get`."""
        return self._send(self._request("DELETE", path, params=params), f"DELETE {path}", deadline)

    def post(self, path: str, body: Mapping[str, str], deadline: Deadline) -> Answer:
        """Return the answer to a POST of `body` as JSON, keys in their order. Raises as `get`."""
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
        # A fork shares its parent's sockets: two processes on one connection read each other's answers.
        if getattr(self._kept, "pid", None) != os.getpid():
            self._kept.pid, self._kept.session = os.getpid(), new_session()
        yield self._kept.session


def read(response: requests.Response, what: str, secrets: Sequence[str]) -> Answer:
    """Return a streamed response as a whole, `secrets` masked. Raises InvalidResponse or OSError."""
    try:
        body = _body(response, what)
    except (OSError, InvalidResponse):
        if response.ok:
            raise
        body = b""  # the status has already said what matters; a body that cannot be read must not hide a 418
    return Answer(what, response.status_code, response.headers, hide(body, secrets))


def _body(response: requests.Response, what: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(2**16):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidResponse(f"{what}: the answer is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def unreachable(what: str, error: BaseException, bounds: Bounds) -> Unreachable:
    """Return what it means that `error` ended an exchange inside `bounds`."""
    nothing_sent = not bounds.sending
    if bounds.deadline.left_s() <= 0:
        text = f"{what}: no whole answer within {bounds.deadline.within_s:g} s"
        return TimedOut(text, nothing_sent=nothing_sent)
    links = list(_chain(error))
    for kind, named, reason in _REASONS:
        if any(isinstance(link, kind) for link in links):
            return named(f"{what}: {reason}", nothing_sent=nothing_sent)
    return Unreachable(f"{what}: the connection broke", nothing_sent=nothing_sent)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # What the caller was dealing with when it called us is not the cause.
    while error is not None and not isinstance(error, ClientError):
        yield error
        error = error.__cause__ or error.__context__
