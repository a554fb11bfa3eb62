"""Tells a webhook of every change of state, and a watcher elsewhere that all is well (docs/alerts.md).

The recorder hands over what it learns; a thread of its own does the talking, so that nobody waits for it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from healthcheck import alert_queue
from healthcheck.alert_texts import Change, body
from healthcheck.models import HealthTransition
from healthcheck.webhook import NotDelivered, Webhook

logger = structlog.get_logger(__name__)

PING_EVERY_S = 60.0
_LOOK_EVERY_S = 60.0
_ASK_AGAIN_S = 5.0
"""After the database could not be asked."""


@dataclass
class _Unrecorded:
    """A change that can't be written now. The database is away: it is told all the same."""

    row: HealthTransition
    due_s: float
    attempts: int = 0


class AlertSender:
    """One thread beside the recorder. Without addresses in the settings it does nothing.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(
        self, *, ping_every_s: float = PING_EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._ping_every_s = clock, ping_every_s
        self._webhook = Webhook(settings.ALERT_WEBHOOK_URL) if settings.ALERT_WEBHOOK_URL else None
        self._watcher = Webhook(settings.DEAD_MAN_URL) if settings.DEAD_MAN_URL else None
        self._over, self._woken, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._speaking = False
        self._well_until_s = self._ping_due_s = 0.0
        self._due_s: float | None = None  # when the database is to be asked for alerts
        self._unrecorded: deque[_Unrecorded] = deque(maxlen=50)
        self._told: set[tuple[str, datetime]] = set()
        self._silent = False

    @property
    def has_webhook(self) -> bool:
        """Whether anybody is to be told of changes."""
        return self._webhook is not None

    def start(self) -> None:
        """Begin, if there is anybody to tell."""
        if self._webhook or self._watcher:
            self._thread = threading.Thread(target=self._run, name="health-alerts", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Tell nobody any more. A delivery that is stuck is left behind."""
        self._over.set()
        self._woken.set()
        if self._thread:
            self._thread.join(1)

    def wake(self, *, speaking: bool, well: bool, written: bool) -> None:
        """Take in what a look found: whether this process leads, all is well, and changes were written."""
        now_s = self._clock()
        if (
            self._webhook and speaking and (written or not self._speaking)
        ):  # the one before may have left some
            self._due_s = now_s
        self._speaking = speaking
        if speaking and well:
            self._well_until_s = now_s + self._ping_every_s
        self._woken.set()

    def tell_now(self, rows: Iterable[HealthTransition]) -> None:
        """Tell of changes that can't be written yet."""
        with self._lock:
            self._unrecorded.extend(_Unrecorded(row, self._clock()) for row in rows if self._webhook)
        self._woken.set()

    def was_told(self, row: HealthTransition) -> bool:
        """Whether a change was told before it was written. From now on its row decides."""
        with self._lock:
            self._unrecorded = deque((each for each in self._unrecorded if each.row is not row), maxlen=50)
            return (row.component, row.at) in self._told

    def _run(self) -> None:
        wait_s: float | None = None
        while not self._over.is_set():
            self._woken.wait(wait_s)
            self._woken.clear()
            try:
                wait_s = self.work()
            except DatabaseError as error:
                logger.warning("alerts.not_read", error=type(error).__name__)
                wait_s = _ASK_AGAIN_S
            except Exception:
                # An alert may be late, but nothing may end the thread that sends the next one.
                logger.exception("alerts.broken")
                wait_s = self._ping_every_s
            finally:
                connections.close_all()

    def work(self) -> float | None:
        """Do what is due; return in how many seconds more will be, None when nothing is known of."""
        moments = [self._pinged(), self._told_unrecorded(), self._sent()]
        return min((max(0.0, each - self._clock()) for each in moments if each is not None), default=None)

    def _pinged(self) -> float | None:
        if self._watcher is None or self._clock() > self._well_until_s:
            return None
        if self._clock() >= self._ping_due_s and not self._over.is_set():
            self._ping_due_s = self._clock() + self._ping_every_s
            self._ping(self._watcher)
        return self._ping_due_s

    def _ping(self, watcher: Webhook) -> None:
        try:
            watcher.get()
        except NotDelivered as error:
            if not self._silent:
                logger.warning("alerts.watcher_not_reached", why=str(error))
            self._silent = True
        else:
            self._silent = False

    def _told_unrecorded(self) -> float | None:
        with self._lock:
            due = [each for each in self._unrecorded if each.due_s <= self._clock()]
        for each in due:
            if self._over.is_set():
                return None
            self._tell_unrecorded(each)
        with self._lock:
            return min((each.due_s for each in self._unrecorded), default=None)

    def _tell_unrecorded(self, each: _Unrecorded) -> None:
        each.attempts += 1
        try:
            self._post(alert_queue.told_as(each.row))
        except NotDelivered as error:
            pauses_s = alert_queue.PAUSES_S
            logger.warning("alerts.not_delivered", component=each.row.component, why=str(error))
            each.due_s = self._clock() + pauses_s[min(each.attempts, len(pauses_s)) - 1]
            return
        with self._lock:
            self._told.add((each.row.component, each.row.at))
            self._unrecorded = deque((left for left in self._unrecorded if left is not each), maxlen=50)

    def _sent(self) -> float | None:
        if not self._speaking or self._due_s is None or self._clock() < self._due_s:
            return self._due_s if self._speaking else None
        self._due_s = self._clock() + _ASK_AGAIN_S  # unless the database answers
        while not self._over.is_set() and (batch := alert_queue.claim()):
            self._send(batch)
        wait_s = alert_queue.wait_s()
        # Who led last may write an outage's alerts after this process has begun to lead.
        self._due_s = self._clock() + (_LOOK_EVERY_S if wait_s is None else max(0.1, wait_s))
        return self._due_s

    def _send(self, batch: alert_queue.Batch) -> None:
        newest = alert_queue.change(batch.newest.transition)
        earlier = [alert_queue.told_as(alert.transition) for alert in batch.earlier]
        try:
            self._post(newest, *earlier)
        except NotDelivered as error:
            logger.warning("alerts.not_delivered", component=newest.component, why=str(error))
            batch.failed(str(error), error.retry_after_s)
        else:
            logger.info("alerts.delivered", component=newest.component, after=newest.after)
            batch.sent()

    def _post(self, newest: Change, *earlier: Change) -> None:
        if self._webhook:
            self._webhook.post(body(settings.ALERT_WEBHOOK_FORMAT, settings.ALERT_SITE, newest, earlier))
