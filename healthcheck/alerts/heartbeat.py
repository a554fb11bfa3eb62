"""The dead man's ping: who is asked while all is well notices a silence (docs/alerts.md, 8)."""

from collections.abc import Callable

import structlog

from healthcheck.alerts.webhook import NotDelivered, Webhook

logger = structlog.get_logger(__name__)


class Watcher:
    """One address that is asked every `every_s` for as long as somebody goes on saying that all is well.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, url: str, *, every_s: float, clock: Callable[[], float]) -> None:
        self._webhook, self._every_s, self._clock = Webhook(url), every_s, clock
        self._well_until_s = self._due_s = 0.0
        self._unreached = False

    def hear_that_all_is_well(self) -> None:
        """Believe so for one interval more."""
        self._well_until_s = self._clock() + self._every_s

    def ask_if_due(self) -> float | None:
        """Ask, if it is time; return when it is time again, None while nobody says that all is well."""
        if self._clock() > self._well_until_s:
            return None
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + self._every_s
            self._ask()
        return self._due_s

    def _ask(self) -> None:
        try:
            self._webhook.get()
        except NotDelivered as error:
            if not self._unreached:
                logger.warning("alerts.watcher_not_reached", why=str(error))
            self._unreached = True
        else:
            self._unreached = False
