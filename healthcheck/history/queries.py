"""Queries on the health history: since when each component has its state, its uptime, its latency.

See docs/health.md, rule 15.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, cast

from django.db import connection
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.utils import timezone

from healthcheck.history.store import status
from healthcheck.models import HealthHour, HealthSample, HealthState, HealthTransition
from healthcheck.report import Finding, Status, component_names
from healthcheck.zones import site_zone

DAYS = 90
QUARTERS = 96
"""Quarter hours in a day."""
WINDOWS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "90d": timedelta(days=DAYS)}

DayKind = Literal["nothing", "healthy", "warning", "unhealthy", "paused"]


@dataclass(frozen=True)
class Day:
    """The minutes of one day, in `HEALTH_TIME_ZONE`, by the status found in them."""

    date: date
    healthy: int = 0
    warning: int = 0
    unhealthy: int = 0
    paused: int = 0

    @property
    def kind(self) -> DayKind:
        """The worst status of the day; "nothing" without a record."""
        kinds: Sequence[DayKind] = ("unhealthy", "warning", "healthy", "paused")
        return next((kind for kind in kinds if getattr(self, kind)), "nothing")

    @property
    def uptime_pct(self) -> float | None:
        return _uptime_pct(self.healthy + self.warning, self.unhealthy)


@dataclass(frozen=True)
class ComponentHistory:
    """The history of one component.

    Attributes:
        status: after damping; None before the first record.
        uptime_pct: by the names of `WINDOWS`; None without a record.
        p50_ms, p95_ms: latency of the judged results in 24 h.
        days: `DAYS` of them, oldest first.
        latency_ms: the median of each of the last `QUARTERS` quarter hours, oldest first.
        troubles_24h: how often it stopped being healthy in 24 h.
    """

    component: str
    status: Status | None
    since: datetime | None
    last_good_at: datetime | None
    last_error_at: datetime | None
    last_error: Finding | None
    uptime_pct: Mapping[str, float | None]
    p50_ms: float | None
    p95_ms: float | None
    days: tuple[Day, ...]
    latency_ms: tuple[float | None, ...]
    troubles_24h: int


@dataclass(frozen=True)
class TransitionRow:
    """One change of state. `lasted` is None while the new state lasts."""

    pk: int
    component: str
    at: datetime
    before: Status
    after: Status
    finding: Finding
    version: str
    rehearsal: bool
    lasted: timedelta | None


@dataclass(frozen=True)
class _Counted:
    days: Mapping[str, Mapping[date, Day]]
    uptimes: Mapping[str, Mapping[str, float | None]]
    speeds: Mapping[str, tuple[float | None, float | None, int]]
    quarters: Mapping[str, Mapping[int, float]]


def histories() -> dict[str, ComponentHistory]:
    """Return the history of every configured component, in five queries, however long it is."""
    now = timezone.now()
    today = now.astimezone(site_zone()).date()
    states = HealthState.objects.in_bulk()
    counted = _Counted(_days(now), _uptimes(now), _speeds(now), _quarters(now))
    return {name: _one(name, states.get(name), counted, today) for name in component_names()}


def transitions(
    component: str | None = None, *, limit: int = 20, older_than_pk: int | None = None
) -> list[TransitionRow]:
    """Return changes, newest first.

    `older_than_pk` continues a list after that change; the result is empty when its row has been deleted.
    """
    rows = _with_ends(component)
    if older_than_pk is not None:
        rows = rows.extra(
            where=["(at, id) < (SELECT at, id FROM health_transition WHERE id = %s)"], params=[older_than_pk]
        )
    return [_row(row) for row in rows.order_by("-at", "-pk")[:limit]]


def transition(pk: int) -> TransitionRow | None:
    """Return one change; None when there is no such row, or no longer."""
    row = _with_ends().filter(pk=pk).first()
    return _row(row) if row else None


def _with_ends(component: str | None = None) -> QuerySet[HealthTransition]:
    """Add `ended`, the time of the next change: one index lookup for each row that is shown."""
    later = HealthTransition.objects.filter(component=OuterRef("component"), at__gt=OuterRef("at"))
    rows = HealthTransition.objects.annotate(ended=Subquery(later.order_by("at").values("at")[:1]))
    return rows.filter(component=component) if component else rows


def older_than(before: datetime) -> Mapping[str, QuerySet[Model]]:
    """Return the rows that retention deletes, by table."""
    found = {
        "health_sample": HealthSample.objects.filter(at__lt=before),
        "health_hour": HealthHour.objects.filter(hour__lt=before),
        "health_transition": HealthTransition.objects.filter(at__lt=before),
    }
    return cast("Mapping[str, QuerySet[Model]]", found)


def _row(row: Any) -> TransitionRow:
    return TransitionRow(
        pk=row.pk,
        component=row.component,
        at=row.at,
        before=row.before,
        after=row.after,
        finding=Finding(row.after, row.message, **row.params),
        version=row.version,
        rehearsal=row.rehearsal,
        lasted=row.ended - row.at if row.ended else None,
    )


def _one(name: str, state: HealthState | None, counted: _Counted, today: date) -> ComponentHistory:
    dates = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    error = state.last_error if state else ""
    p50_ms, p95_ms, troubles = counted.speeds.get(name, (None, None, 0))
    days, quarters = counted.days.get(name, {}), counted.quarters.get(name, {})
    return ComponentHistory(
        component=name,
        status=status(state) if state else None,
        since=state.since if state else None,
        last_good_at=state.last_good_at if state else None,
        last_error_at=state.last_error_at if state else None,
        last_error=Finding("unhealthy", error, **state.last_error_params) if state and error else None,
        uptime_pct=counted.uptimes.get(name, dict.fromkeys(WINDOWS)),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        days=tuple(days.get(each, Day(each)) for each in dates),
        latency_ms=tuple(quarters.get(ago) for ago in reversed(range(QUARTERS))),
        troubles_24h=troubles,
    )


def _days(now: datetime) -> dict[str, dict[date, Day]]:
    """Return the days with a record, by component."""
    found: dict[str, dict[date, Day]] = {}
    for name, day, *minutes in _fetch_all(_DAYS, {"since": now - WINDOWS["90d"], "zone": site_zone().key}):
        found.setdefault(name, {})[day] = Day(day, *minutes)
    return found


def _uptimes(now: datetime) -> dict[str, dict[str, float | None]]:
    since = {f"since_{name}": now - span for name, span in WINDOWS.items()}
    return {
        name: {
            window: _uptime_pct(up, down) for window, (up, down) in zip(WINDOWS, _pairs(counts), strict=True)
        }
        for name, *counts in _fetch_all(_UPTIMES, since)
    }


def _pairs(counts: Sequence[int]) -> Iterable[tuple[int, int]]:
    return zip(counts[::2], counts[1::2], strict=True)


def _speeds(now: datetime) -> dict[str, tuple[float | None, float | None, int]]:
    rows = _fetch_all(_SPEEDS, {"since": now - WINDOWS["24h"]})
    return {name: (p50, p95, troubles) for name, p50, p95, troubles in rows}


def _quarters(now: datetime) -> dict[str, dict[int, float]]:
    """Return median latencies by component and by how many quarter hours ago."""
    found: dict[str, dict[int, float]] = {}
    for name, ago, median in _fetch_all(_QUARTERS, {"now": now, "since": now - WINDOWS["24h"]}):
        found.setdefault(name, {})[ago] = median
    return found


def _uptime_pct(up: int, down: int) -> float | None:
    return 100 * up / (up + down) if up + down else None


def _fetch_all(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


_DAYS = """
SELECT component, (hour AT TIME ZONE %(zone)s)::date, sum(healthy), sum(warning), sum(unhealthy), sum(paused)
FROM health_hour WHERE hour > %(since)s GROUP BY 1, 2
"""
_UPTIMES = """
SELECT component,
       coalesce(sum(healthy + warning) FILTER (WHERE hour > %(since_24h)s), 0),
       coalesce(sum(unhealthy) FILTER (WHERE hour > %(since_24h)s), 0),
       coalesce(sum(healthy + warning) FILTER (WHERE hour > %(since_7d)s), 0),
       coalesce(sum(unhealthy) FILTER (WHERE hour > %(since_7d)s), 0),
       sum(healthy + warning), sum(unhealthy)
FROM health_hour WHERE hour > %(since_90d)s GROUP BY 1
"""
_SPEEDS = """
SELECT state.component, fast.p50, fast.p95, (
    SELECT count(*) FROM health_transition AS change
    WHERE change.component = state.component AND change.at > %(since)s AND change.before = 'healthy'
)
FROM health_state AS state CROSS JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) AS p50,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95
    FROM health_sample AS sample
    WHERE sample.component = state.component AND at > %(since)s AND judged AND latency_ms IS NOT NULL
) AS fast
"""
_QUARTERS = """
SELECT sample.component, floor(extract(epoch FROM %(now)s - at) / 900)::int AS ago,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)
FROM health_state AS state JOIN health_sample AS sample USING (component)
WHERE at > %(since)s AND at <= %(now)s AND judged AND latency_ms IS NOT NULL GROUP BY 1, 2
"""
