"""Sends one HTTP request to a webhook, and waits for a limited time only.

The limit also covers a server that never finishes its answer. See docs/alerts.md, rule 2.
"""

from collections.abc import Mapping
from typing import Any

import requests

from healthcheck.engine.bounded_thread import BoundedThread, CallTimedOut

WITHIN_S = 5.0
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    # The first match wins. The exceptions' own texts contain the URL, and the URL contains a token.
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.Timeout, "no answer in time"),
    (requests.exceptions.ConnectionError, "no connection"),
    (requests.exceptions.RequestException, "the request cannot be sent"),
)


class NotDelivered(Exception):
    """The webhook did not accept the message; a later attempt may succeed.

    `str()` is the reason, without the URL.

    Attributes:
        retry_after_s: from the `Retry-After` header; 0 without one.
    """

    def __init__(self, why: str, retry_after_s: float = 0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Webhook:
    """One URL that accepts messages. For use by one thread; while a call hangs, no other one is started."""

    def __init__(self, url: str, *, within_s: float = WITHIN_S) -> None:
        self._url, self._within_s = url, within_s
        self._bounded = BoundedThread(within_s)

    def post(self, message: Mapping[str, Any]) -> None:
        """Deliver a message as JSON. Raises NotDelivered."""
        self._call("POST", json=message)

    def get(self) -> None:
        """Send a GET. Raises NotDelivered."""
        self._call("GET")

    def _call(self, method: str, **options: Any) -> None:
        try:
            self._bounded.call(lambda: self._request(method, **options))
        except CallTimedOut:
            raise NotDelivered(f"no answer within {self._within_s:g} s") from None
        except requests.exceptions.RequestException as error:
            raise NotDelivered(next(why for kind, why in _REASONS if isinstance(error, kind))) from None

    def _request(self, method: str, **options: Any) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy or password from the environment
            with session.request(
                method, self._url, timeout=self._within_s, allow_redirects=False, stream=True, **options
            ) as response:
                if not 200 <= response.status_code < 300:
                    wait = response.headers.get("Retry-After", "")
                    raise NotDelivered(f"HTTP {response.status_code}", float(wait) if wait.isdecimal() else 0)
