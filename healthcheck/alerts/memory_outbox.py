"""Alerts kept in memory while the database is down and they cannot be written (docs/alerts.md, rule 6)."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from healthcheck.alerts.outbox import PAUSES_S
from healthcheck.alerts.webhook import NotDelivered
from healthcheck.models import HealthTransition

logger = structlog.get_logger(__name__)

_KEPT = 50


@dataclass
class _Waiting:
    row: HealthTransition
    due_s: float
    attempts: int = 0


class MemoryOutbox:
    """Alerts waiting for delivery. Thread-safe: the recorder adds them, the sender delivers them.

    At most `_KEPT` alerts wait; the oldest are dropped first.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque(maxlen=_KEPT)
        self._sent: deque[tuple[str, datetime]] = deque(maxlen=_KEPT)

    def add(self, rows: Iterable[HealthTransition]) -> None:
        """Queue alerts for immediate delivery."""
        with self._lock:
            self._waiting.extend(_Waiting(row, self._clock()) for row in rows)

    def was_sent(self, row: HealthTransition) -> bool:
        """Return whether an alert was delivered before its change was written, and stop retrying it.

        From now on the row in the database decides about its delivery.
        """
        with self._lock:
            self._drop(row)
            return (row.component, row.at) in self._sent

    def deliver_due(self, post: Callable[[HealthTransition], None]) -> float | None:
        """Deliver what is due. Return when the next alert is due, by `clock`; None when no alert waits.

        `post` raises NotDelivered.
        """
        with self._lock:
            due = [each for each in self._waiting if each.due_s <= self._clock()]
        for each in due:
            self._deliver(each, post)
        with self._lock:
            return min((each.due_s for each in self._waiting), default=None)

    def _deliver(self, each: _Waiting, post: Callable[[HealthTransition], None]) -> None:
        each.attempts += 1
        try:
            post(each.row)
        except NotDelivered as error:
            logger.warning("alerts.not_delivered", component=each.row.component, why=str(error))
            each.due_s = self._clock() + PAUSES_S[min(each.attempts, len(PAUSES_S)) - 1]
            return
        with self._lock:
            self._sent.append((each.row.component, each.row.at))
            self._drop(each.row)

    def _drop(self, row: HealthTransition) -> None:
        self._waiting = deque((each for each in self._waiting if each.row is not row), maxlen=_KEPT)
