"""Pings an external monitor while the site is healthy: a silence raises its alarm (docs/alerts.md, 8)."""

from collections.abc import Callable

import structlog

from healthcheck.alerts.webhook import NotDelivered, Webhook

logger = structlog.get_logger(__name__)


class Heartbeat:
    """Pings one address every `every_s` for as long as `keep_alive` goes on being called.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, url: str, *, every_s: float, clock: Callable[[], float]) -> None:
        self._webhook, self._every_s, self._clock = Webhook(url), every_s, clock
        self._well_until_s = self._due_s = 0.0
        self._unreached = False

    def keep_alive(self) -> None:
        """The site is healthy: go on pinging for one more interval."""
        self._well_until_s = self._clock() + self._every_s

    def ping_if_due(self) -> float | None:
        """Ping if it is time; return when it is next time, None while the site is not healthy."""
        if self._clock() > self._well_until_s:
            return None
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + self._every_s
            self._ping()
        return self._due_s

    def _ping(self) -> None:
        try:
            self._webhook.get()
        except NotDelivered as error:
            if not self._unreached:
                logger.warning("alerts.watcher_not_reached", why=str(error))
            self._unreached = True
        else:
            self._unreached = False
