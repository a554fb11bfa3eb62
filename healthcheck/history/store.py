"""Builds the rows of the health history and writes one tick's rows in one transaction.

See docs/health.md, rule 15.
"""

from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime
from typing import cast

from django.db import connection, transaction
from django.utils.translation import gettext_noop

from healthcheck.alerts import outbox
from healthcheck.models import HealthState, HealthTransition
from healthcheck.report import Status
from healthcheck.snapshot import Component

# Only new samples are counted into their hour, so that writing a minute twice is harmless.
_WRITE = """
WITH new AS (
    INSERT INTO health_sample (component, at, status, judged, paused, latency_ms)
    SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::bool[], %s::bool[], %s::float8[])
    ON CONFLICT DO NOTHING
    RETURNING component, at, status, judged, paused
)
INSERT INTO health_hour AS known (component, hour, healthy, warning, unhealthy, paused, unjudged)
SELECT component, date_trunc('hour', at, 'UTC'),
       count(*) FILTER (WHERE judged AND NOT paused AND status = 'healthy'),
       count(*) FILTER (WHERE judged AND NOT paused AND status = 'warning'),
       count(*) FILTER (WHERE judged AND NOT paused AND status = 'unhealthy'),
       count(*) FILTER (WHERE paused),
       count(*) FILTER (WHERE NOT judged AND NOT paused)
FROM new GROUP BY 1, 2
ON CONFLICT (component, hour) DO UPDATE SET
    healthy = known.healthy + excluded.healthy,
    warning = known.warning + excluded.warning,
    unhealthy = known.unhealthy + excluded.unhealthy,
    paused = known.paused + excluded.paused,
    unjudged = known.unjudged + excluded.unjudged
"""
# With too few samples there is no usual time, so a component that became slower is not called slow for ever.
_USUAL = """
UPDATE health_state SET usual_p95_ms = (
    SELECT CASE WHEN count(*) >= %s THEN percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) END
    FROM health_sample AS sample
    WHERE sample.component = health_state.component AND at > statement_timestamp() - interval '24 hours'
          AND status = 'healthy' AND judged AND NOT paused AND latency_ms IS NOT NULL
)
"""
ENOUGH_SAMPLES = 30
_OVER = gettext_noop("the rehearsal is over")
_STATE = ("status", "since", "last_good_at", "last_error_at", "last_error", "last_error_params", "seen_at")


def status(state: HealthState) -> Status:
    return cast("Status", state.status)


def transition(component: Component, before: Status, at: datetime, version: str) -> HealthTransition:
    finding = component.finding
    return HealthTransition(
        component=component.name,
        at=at,
        before=before,
        after=component.status,
        message=finding.message,
        params=finding.params,
        version=version,
        rehearsal=component.override == "rehearsal",
    )


def rehearsal_over(name: str, before: Status, after: Status, at: datetime, version: str) -> HealthTransition:
    """Return the row for the return to the state from before a rehearsal."""
    return HealthTransition(
        component=name, at=at, before=before, after=after, message=_OVER, version=version, rehearsal=True
    )


def before_rehearsal() -> dict[str, Status]:
    """Return the state from before the rehearsal, for each component whose last change was part of one."""
    last = HealthTransition.objects.order_by("component", "-at").distinct("component")
    return {
        row.component: cast("Status", row.before) for row in last if row.rehearsal and row.message != _OVER
    }


def state(known: HealthState | None, component: Component, damped: Status, at: datetime) -> HealthState:
    """Return a component's row after this observation; `known` is not modified."""
    row = copy(known) if known else HealthState(component=component.name, status=damped, since=at)
    if row.status != damped:
        row.status, row.since = damped, at
    row.seen_at = at
    if component.override:
        return row  # an override says nothing about the component itself
    if component.judged and component.status == "healthy":
        row.last_good_at = component.measured_at
    elif component.judged:
        row.last_error_at = component.measured_at
        row.last_error, row.last_error_params = component.finding.message, component.finding.params
    return row


def write(
    minute: datetime,
    samples: Sequence[Component],
    transitions: Sequence[HealthTransition],
    states: Sequence[HealthState],
    alerts: Sequence[HealthTransition] = (),
    was_sent: Callable[[HealthTransition], bool] | None = None,
) -> None:
    """Write all of it or nothing. `alerts` are the transitions to send alerts about.

    Raises:
        django.db.Error: it could not be written.
    """
    with transaction.atomic():
        if samples:
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, _columns(minute, samples))
        newest = dict(HealthState.objects.select_for_update().values_list("component", "seen_at"))
        HealthTransition.objects.bulk_create(filter(_is_news, transitions), ignore_conflicts=True)
        outbox.put(alerts, was_sent)
        HealthState.objects.bulk_create(
            [row for row in states if row.seen_at >= newest.get(row.component, row.seen_at)],
            update_conflicts=True,
            unique_fields=["component"],
            update_fields=_STATE,
        )


def rewrite_usual() -> None:
    """Update each component's usual 95th percentile, in one statement. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [ENOUGH_SAMPLES])


def _is_news(row: HealthTransition) -> bool:
    """Return whether the change is not written yet: during a handover two leaders may both observe it."""
    before = HealthTransition.objects.filter(component=row.component, at__lte=row.at).order_by("-at", "-pk")
    return before.values_list("after", flat=True).first() != row.after


def _columns(minute: datetime, samples: Sequence[Component]) -> tuple[list[object], ...]:
    return (
        [sample.name for sample in samples],
        [minute] * len(samples),
        [sample.status for sample in samples],
        [sample.judged for sample in samples],
        # Minutes under an override count as paused, so a rehearsed failure is no downtime.
        [sample.paused or bool(sample.override) for sample in samples],
        [sample.latency_ms for sample in samples],
    )
