"""Tells a webhook of every change of state, and a watcher elsewhere that all is well (docs/alerts.md).

The recorder hands over what it learns; a thread of its own does the talking, so that nobody waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from healthcheck.alerts import outbox as alert_queue
from healthcheck.alerts.heartbeat import Watcher
from healthcheck.alerts.memory_outbox import UnwrittenAlerts
from healthcheck.alerts.messages import Change, body
from healthcheck.alerts.webhook import NotDelivered, Webhook
from healthcheck.models import HealthTransition

logger = structlog.get_logger(__name__)

PING_EVERY_S = 60.0
_LOOK_EVERY_S = 60.0
_ASK_AGAIN_S = 5.0
"""After the database could not be asked."""


class AlertSender:
    """One thread beside the recorder. Without addresses in the settings it does nothing.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._webhook = Webhook(settings.ALERT_WEBHOOK_URL) if settings.ALERT_WEBHOOK_URL else None
        self._watcher = (
            Watcher(settings.DEAD_MAN_URL, every_s=PING_EVERY_S, clock=clock)
            if settings.DEAD_MAN_URL
            else None
        )
        self._unwritten = UnwrittenAlerts(clock=clock)
        self._over, self._woken = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._speaking = False
        self._due_s: float | None = None  # when the database is to be asked for alerts

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
        if (
            self._webhook and speaking and (written or not self._speaking)
        ):  # the one before may have left some
            self._due_s = self._clock()
        self._speaking = speaking
        if self._watcher and speaking and well:
            self._watcher.hear_that_all_is_well()
        self._woken.set()

    def tell_now(self, rows: Iterable[HealthTransition]) -> None:
        """Tell of changes that can't be written yet."""
        if self._webhook:
            self._unwritten.add(rows)
            self._woken.set()

    def was_told(self, row: HealthTransition) -> bool:
        """Whether a change was told before it was written. From now on its row decides."""
        return self._unwritten.was_told(row)

    def work(self) -> float | None:
        """Do what is due; return in how many seconds more will be, None when nothing is known of."""
        moments = [
            self._watcher.ask_if_due() if self._watcher else None,
            self._unwritten.tell(lambda row: self._post(alert_queue.told_as(row))),
            self._sent(),
        ]
        return min((max(0.0, each - self._clock()) for each in moments if each is not None), default=None)

    def _run(self) -> None:
        wait_s: float | None = None
        while not self._over.is_set():
            self._woken.wait(wait_s)
            self._woken.clear()
            if self._over.is_set():
                return
            try:
                wait_s = self.work()
            except DatabaseError as error:
                logger.warning("alerts.not_read", error=type(error).__name__)
                wait_s = _ASK_AGAIN_S
            except Exception:
                # An alert may be late, but nothing may end the thread that sends the next one.
                logger.exception("alerts.broken")
                wait_s = _LOOK_EVERY_S
            finally:
                connections.close_all()

    def _sent(self) -> float | None:
        if not self._speaking:
            return None
        if self._due_s is None or self._clock() < self._due_s:
            return self._due_s
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
