"""Posts every change of state to a webhook, and pings a monitor while all is well (docs/alerts.md).

The recorder hands over what it learns; a thread of its own delivers it, so that the recorder never waits.
"""

import threading
import time
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from healthcheck.alerts import outbox
from healthcheck.alerts.heartbeat import Heartbeat
from healthcheck.alerts.memory_outbox import MemoryOutbox
from healthcheck.alerts.messages import AlertChange, body
from healthcheck.alerts.webhook import NotDelivered, Webhook
from healthcheck.models import HealthTransition

logger = structlog.get_logger(__name__)

PING_EVERY_S = 60.0
_LOOK_EVERY_S = 60.0
_ASK_AGAIN_S = 5.0
"""After the database could not be asked."""


class AlertSender:
    """One thread of its own. Without addresses in the settings it does nothing.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._webhook = Webhook(settings.ALERT_WEBHOOK_URL) if settings.ALERT_WEBHOOK_URL else None
        self._heartbeat = (
            Heartbeat(settings.DEAD_MAN_URL, every_s=PING_EVERY_S, clock=clock)
            if settings.DEAD_MAN_URL
            else None
        )
        self._memory = MemoryOutbox(clock=clock)
        self._over, self._woken = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._leading = False
        self._due_s: float | None = None  # when the database is to be asked for alerts

    @property
    def has_webhook(self) -> bool:
        return self._webhook is not None

    def start(self) -> None:
        if self._webhook or self._heartbeat:
            self._thread = threading.Thread(target=self._run, name="health-alerts", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Deliver no more. A delivery that is stuck is left behind."""
        self._over.set()
        self._woken.set()
        if self._thread:
            self._thread.join(1)

    def notify(self, *, leading: bool, well: bool, written: bool) -> None:
        """Take in what a look found: whether this process leads, all is well, and changes were written."""
        if self._webhook and leading and (written or not self._leading):  # the one before may have left some
            self._due_s = self._clock()
        self._leading = leading
        if self._heartbeat and leading and well:
            self._heartbeat.keep_alive()
        self._woken.set()

    def enqueue(self, rows: Iterable[HealthTransition]) -> None:
        """Deliver changes that can't be written yet."""
        if self._webhook:
            self._memory.add(rows)
            self._woken.set()

    def was_sent(self, row: HealthTransition) -> bool:
        """Whether a change was delivered before it was written. From now on its row decides."""
        return self._memory.was_sent(row)

    def work(self) -> float | None:
        """Do what is due; return in how many seconds more will be, None when nothing is known of."""
        moments = [
            self._heartbeat.ping_if_due() if self._heartbeat else None,
            self._memory.deliver_due(lambda row: self._post(outbox.as_change(row))),
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
        if not self._leading:
            return None
        if self._due_s is None or self._clock() < self._due_s:
            return self._due_s
        self._due_s = self._clock() + _ASK_AGAIN_S  # unless the database answers
        while not self._over.is_set() and (batch := outbox.claim()):
            self._send(batch)
        wait_s = outbox.wait_s()
        # Who led last may write an outage's alerts after this process has begun to lead.
        self._due_s = self._clock() + (_LOOK_EVERY_S if wait_s is None else max(0.1, wait_s))
        return self._due_s

    def _send(self, batch: outbox.Batch) -> None:
        newest = outbox.change(batch.newest.transition)
        earlier = [outbox.as_change(alert.transition) for alert in batch.earlier]
        try:
            self._post(newest, *earlier)
        except NotDelivered as error:
            logger.warning("alerts.not_delivered", component=newest.component, why=str(error))
            batch.failed(str(error), error.retry_after_s)
        else:
            logger.info("alerts.delivered", component=newest.component, after=newest.after)
            batch.sent()

    def _post(self, newest: AlertChange, *earlier: AlertChange) -> None:
        if self._webhook:
            self._webhook.post(body(settings.ALERT_WEBHOOK_FORMAT, settings.ALERT_SITE, newest, earlier))
