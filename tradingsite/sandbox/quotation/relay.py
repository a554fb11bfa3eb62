"""Forwards quotation requests to another exchange, for paper trading.

Rules: docs/sandbox-faults.md SF17, SF18, SF20.
"""

import threading
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import requests

from tradingsite.sandbox.http.messages import Request, Response, json_response
from tradingsite.sandbox.quotation.parameters import error_body

UPBIT_URL = "https://api.upbit.com"
_TIMEOUTS_S = (3.0, 5.0)  # to connect, and for each read
_PASSED_BACK = ("Remaining-Req", "Retry-After")


class Relay:
    """Sends the same requests to `base_url`, without the client's headers. Thread-safe.

    Raises:
        ValueError: the URL is not http(s) with a host and nothing else.
    """

    def __init__(self, base_url: str) -> None:
        _refuse_unless_plain(base_url)
        self.base_url = base_url.rstrip("/")
        self._per_thread = threading.local()

    def forward(self, request: Request, **names: str) -> Response:
        """Return the other exchange's answer unchanged, errors included; 502 if it does not answer."""
        try:
            answer = self.get(f"{quote(request.path)}?{request.query}")
            status = HTTPStatus(answer.status_code)  # ValueError if there is no such status
        except (requests.RequestException, ValueError) as failure:
            message = f"The relay got no answer from {self.base_url}: {type(failure).__name__}"
            return json_response(error_body(HTTPStatus.BAD_GATEWAY, message), HTTPStatus.BAD_GATEWAY)
        headers = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(status, answer.content, answer.headers.get("Content-Type", ""), headers)

    def get(self, target: str) -> requests.Response:
        """Send one GET, unsigned; redirects are not followed."""
        return self._session().get(self.base_url + target, timeout=_TIMEOUTS_S, allow_redirects=False)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._per_thread, "session", None)
        if session is None:
            # One per thread: sessions are not thread-safe.
            session = self._per_thread.session = requests.Session()
            session.auth = lambda prepared: prepared  # otherwise requests would send a password from .netrc
        return session


def _refuse_unless_plain(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the relay's URL may hold no user name, password, query or fragment")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the relay's URL is {url!r}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or port == 0:
        raise ValueError(f"the relay's URL is {url!r}: it must be http(s)://host[:port]")
