"""The alerts waiting in the database, and how a scheduler claims a batch of them to send.

Two schedulers may read the table at once while one takes over from the other. So one UPDATE claims a batch,
and only the scheduler that holds the claim may record whether the batch was sent. See docs/alerts.md, rules 3
to 5.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import cast

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from healthcheck.alerts.messages import AlertChange
from healthcheck.declared import component_label
from healthcheck.models import Alert, HealthTransition
from healthcheck.report import Finding, Status

PAUSES_S = (1, 4, 16, 60, 300, 600, 600, 600, 600)
"""Seconds to wait after each failed attempt. The attempt after the last pause is the final one."""
_CLAIM_S = 30
"""Longer than any delivery takes. A claim left by a killed scheduler expires after this."""

_CLAIM = """
WITH ready AS (
    SELECT change.component
    FROM health_alert AS alert JOIN health_transition AS change ON change.id = alert.transition_id
    WHERE alert.state = 'pending' AND alert.next_attempt_at <= now()
      AND (alert.claimed_until IS NULL OR alert.claimed_until <= now())
      AND NOT EXISTS (
          SELECT FROM health_alert AS sent JOIN health_transition AS old ON old.id = sent.transition_id
          WHERE old.component = change.component AND sent.state = 'sent'
            AND sent.sent_at > now() - %(interval)s * interval '1 s'
      )
      AND NOT EXISTS (
          SELECT FROM health_alert AS waiting JOIN health_transition AS of ON of.id = waiting.transition_id
          WHERE of.component = change.component
            AND waiting.state = 'pending' AND waiting.next_attempt_at > now()
      )
    ORDER BY change.at LIMIT 1
)
UPDATE health_alert AS alert SET claimed_until = now() + %(claim)s * interval '1 s', attempts = attempts + 1
FROM health_transition AS change, ready
WHERE change.id = alert.transition_id AND change.component = ready.component AND alert.state = 'pending'
  AND (alert.claimed_until IS NULL OR alert.claimed_until <= now())
RETURNING alert.id, alert.claimed_until
"""
_WAIT = """
SELECT extract(epoch FROM
    min(greatest(waiting.until, alert.claimed_until, sent.at + %(interval)s * interval '1 s')) - now()
)
FROM health_alert AS alert JOIN health_transition AS change ON change.id = alert.transition_id
LEFT JOIN LATERAL (
    SELECT max(other.sent_at) AS at
    FROM health_alert AS other JOIN health_transition AS old ON old.id = other.transition_id
    WHERE old.component = change.component AND other.state = 'sent'
) AS sent ON true
CROSS JOIN LATERAL (
    SELECT max(other.next_attempt_at) AS until
    FROM health_alert AS other JOIN health_transition AS of ON of.id = other.transition_id
    WHERE of.component = change.component AND other.state = 'pending'
) AS waiting
WHERE alert.state = 'pending'
"""


@dataclass(frozen=True)
class Batch:
    """One message to send about one component: its newest change, and earlier changes not sent yet."""

    newest: Alert
    earlier: Sequence[Alert]
    claimed_until: datetime

    @property
    def _claimed(self) -> Q:
        keys = [alert.pk for alert in (self.newest, *self.earlier)]
        return Q(pk__in=keys, state=Alert.State.PENDING, claimed_until=self.claimed_until)

    def sent(self) -> None:
        done = {"sent_at": Now(), "claimed_until": None, "next_attempt_at": None, "error": ""}
        rows = Alert.objects.filter(self._claimed)
        rows.exclude(pk=self.newest.pk).update(state=Alert.State.HELD, **done)
        rows.filter(pk=self.newest.pk).update(state=Alert.State.SENT, **done)

    def failed(self, why: str, retry_after_s: float) -> None:
        """Record a failed attempt and when to retry. After the last pause the alert is marked as failed."""
        rows = Alert.objects.filter(self._claimed)
        rows.filter(attempts__gt=len(PAUSES_S)).update(
            state=Alert.State.FAILED, claimed_until=None, next_attempt_at=None, error=why
        )
        pause_s = max(PAUSES_S[min(self.newest.attempts, len(PAUSES_S)) - 1], min(retry_after_s, 3600))
        rows.update(claimed_until=None, next_attempt_at=Now() + timedelta(seconds=pause_s), error=why)


def put(
    transitions: Collection[HealthTransition], was_sent: Callable[[HealthTransition], bool] | None = None
) -> None:
    """Queue alerts for changes that were just written. Those delivered already are recorded as sent."""
    if not transitions:
        return
    written = HealthTransition.objects.filter(
        reduce(or_, (Q(component=row.component, at=row.at) for row in transitions))
    )
    known = {(row.component, row.at) for row in transitions if was_sent and was_sent(row)}
    Alert.objects.bulk_create(
        [
            Alert(transition=row, state=Alert.State.SENT, sent_at=row.at, attempts=1)
            if (row.component, row.at) in known
            else Alert(transition=row, next_attempt_at=row.at)
            for row in written
        ],
        ignore_conflicts=True,
    )


def claim() -> Batch | None:
    """Claim one component's changes that are due; return None when there are none.

    Raises:
        django.db.Error: the claim may or may not be stored, so nothing may be sent.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"interval": _min_interval_s(), "claim": _CLAIM_S})
        claimed = dict(cursor.fetchall())
    if not claimed:
        return None
    rows = Alert.objects.filter(pk__in=claimed).select_related("transition").order_by("-transition__at")
    newest, *earlier = rows
    return Batch(newest, earlier[::-1], claimed[newest.pk])


def wait_s() -> float | None:
    """Return the seconds until the next alert is due; None when none waits. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, {"interval": _min_interval_s()})
        (found,) = cursor.fetchone()
    return None if found is None else max(0.0, float(found))


def change(row: HealthTransition) -> AlertChange:
    """Return the row as an `AlertChange` that knows how long the previous state lasted.

    Raises django.db.Error.
    """
    earlier = HealthTransition.objects.filter(component=row.component, at__lt=row.at).order_by("-at")
    before = earlier.values_list("at", flat=True).first()
    return as_change(row, row.at - before if before else None)


def as_change(row: HealthTransition, lasted: timedelta | None = None) -> AlertChange:
    """Convert a row without a query. `lasted` is the duration of the previous state."""
    return AlertChange(
        component=row.component,
        label=str(component_label(row.component)),
        at=row.at,
        before=cast("Status", row.before),
        after=cast("Status", row.after),
        message=Finding("healthy", row.message, **row.params).english,
        version=row.version,
        rehearsal=row.rehearsal,
        lasted=lasted,
    )


def _min_interval_s() -> int:
    seconds: int = settings.ALERT_MIN_INTERVAL_S
    return seconds
