"""One message to one address, bounded in time whatever the other side does (docs/alerts.md, 2)."""

from collections.abc import Mapping
from typing import Any

import requests

from healthcheck.engine.bounded_thread import BoundedThread, CallTimedOut

WITHIN_S = 5.0
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    # The first that fits. Their own texts hold the address, and that holds a token.
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.Timeout, "no answer in time"),
    (requests.exceptions.ConnectionError, "no connection"),
    (requests.exceptions.RequestException, "the address cannot be asked"),
)


class NotDelivered(Exception):
    """Nobody took it: `str()` says why without the address. Try again later.

    Attributes:
        retry_after_s: what the other side asked for; 0 when it did not.
    """

    def __init__(self, why: str, retry_after_s: float = 0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Webhook:
    """An address that takes messages. Used by one thread; while a call is stuck no other is begun."""

    def __init__(self, url: str, *, within_s: float = WITHIN_S) -> None:
        self._url, self._within_s = url, within_s
        self._bounded = BoundedThread(within_s)

    def post(self, message: Mapping[str, Any]) -> None:
        """Deliver a message as JSON. Raises NotDelivered."""
        self._call("POST", json=message)

    def get(self) -> None:
        """Ask the address. Raises NotDelivered."""
        self._call("GET")

    def _call(self, method: str, **options: Any) -> None:
        try:
            self._bounded.call(lambda: self._answered(method, **options))
        except CallTimedOut:
            raise NotDelivered(f"no answer within {self._within_s:g} s") from None
        except requests.exceptions.RequestException as error:
            raise NotDelivered(next(why for kind, why in _REASONS if isinstance(error, kind))) from None

    def _answered(self, method: str, **options: Any) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no password of another program
            with session.request(
                method, self._url, timeout=self._within_s, allow_redirects=False, stream=True, **options
            ) as response:
                if not 200 <= response.status_code < 300:
                    wait = response.headers.get("Retry-After", "")
                    raise NotDelivered(f"HTTP {response.status_code}", float(wait) if wait.isdecimal() else 0)
