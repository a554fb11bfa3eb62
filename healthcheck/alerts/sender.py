"""Posts every change of state to a webhook, and pings an external monitor while the site is healthy.

It delivers in its own thread, so that the recorder, which reports the changes, never waits for a webhook.
See docs/alerts.md.
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
_READ_EVERY_S = 60.0
_RETRY_S = 5.0
"""After the database did not answer."""


class AlertSender:
    """Delivers alerts from one daemon thread. It starts none when the settings name no URL.

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
        self._stopped, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._leading = False
        self._due_s: float | None = None  # when to read the next alerts from the database

    @property
    def has_webhook(self) -> bool:
        return self._webhook is not None

    def start(self) -> None:
        if self._webhook or self._heartbeat:
            self._thread = threading.Thread(target=self._run, name="health-alerts", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Deliver no more. A delivery that hangs is abandoned with its daemon thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread:
            self._thread.join(1)

    def notify(self, *, leading: bool, healthy: bool, written: bool) -> None:
        """Report the result of one tick of the recorder, and wake the thread.

        Args:
            leading: this process leads, so it delivers what is in the database.
            healthy: no component is unhealthy.
            written: changes were written to the database.
        """
        # A new leader also looks for alerts left by the previous one.
        if self._webhook and leading and (written or not self._leading):
            self._due_s = self._clock()
        self._leading = leading
        if self._heartbeat and leading and healthy:
            self._heartbeat.keep_alive()
        self._wake.set()

    def enqueue(self, rows: Iterable[HealthTransition]) -> None:
        """Deliver changes that cannot be written yet, from memory."""
        if self._webhook:
            self._memory.add(rows)
            self._wake.set()

    def was_sent(self, row: HealthTransition) -> bool:
        """Return whether an alert was delivered before its change was written, and stop retrying it."""
        return self._memory.was_sent(row)

    def work(self) -> float | None:
        """Deliver what is due. Return the seconds until something else is due; None when nothing waits."""
        moments = [
            self._heartbeat.ping_if_due() if self._heartbeat else None,
            self._memory.deliver_due(lambda row: self._post(outbox.as_change(row))),
            self._send_due(),
        ]
        return min((max(0.0, each - self._clock()) for each in moments if each is not None), default=None)

    def _run(self) -> None:
        wait_s: float | None = None
        while not self._stopped.is_set():
            self._wake.wait(wait_s)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                wait_s = self.work()
            except DatabaseError as error:
                logger.warning("alerts.not_read", error=type(error).__name__)
                wait_s = _RETRY_S
            except Exception:
                # An alert may be late, but nothing may end the thread that sends the next one.
                logger.exception("alerts.broken")
                wait_s = _READ_EVERY_S
            finally:
                connections.close_all()

    def _send_due(self) -> float | None:
        if not self._leading:
            return None
        if self._due_s is None or self._clock() < self._due_s:
            return self._due_s
        self._due_s = self._clock() + _RETRY_S  # unless the database answers
        while not self._stopped.is_set() and (batch := outbox.claim()):
            self._send(batch)
        wait_s = outbox.wait_s()
        # The previous leader may still write alerts about an outage after this process has become leader.
        self._due_s = self._clock() + (_READ_EVERY_S if wait_s is None else max(0.1, wait_s))
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
