"""Heartbeat: pings an external monitor every minute while the site is healthy.

A silence then raises the monitor's alarm. See docs/alerts.md, rule 8.
"""

from collections.abc import Callable

import structlog

from healthcheck.alerts.webhook import NotDelivered, Webhook

logger = structlog.get_logger(__name__)


class Heartbeat:
    """Pings one URL every `every_s` seconds, as long as `keep_alive` is called at least that often.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, url: str, *, every_s: float, clock: Callable[[], float]) -> None:
        self._webhook, self._every_s, self._clock = Webhook(url), every_s, clock
        self._healthy_until_s = self._due_s = 0.0
        self._failing = False

    def keep_alive(self) -> None:
        """Report that the site is healthy: keep pinging for one more interval."""
        self._healthy_until_s = self._clock() + self._every_s

    def ping_if_due(self) -> float | None:
        """Ping if it is time.

        Return when the next ping is due, by `clock`; None while the site is not healthy.
        """
        if self._clock() > self._healthy_until_s:
            return None
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + self._every_s
            self._ping()
        return self._due_s

    def _ping(self) -> None:
        try:
            self._webhook.get()
        except NotDelivered as error:
            if not self._failing:  # log an outage of the monitor once
                logger.warning("alerts.watcher_not_reached", why=str(error))
            self._failing = True
        else:
            self._failing = False
