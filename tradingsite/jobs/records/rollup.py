"""Adds up the outcomes of runs in memory, and saves them once a minute: one row for each job and hour.

See docs/scheduler.md, R22.
"""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection

from tradingsite.jobs.records.last_day import Histogram
from tradingsite.jobs.run_result import RunResult

# Adds to the row, since two leaders may have worked in the same hour. Histograms are added by bucket.
_SUM = """(SELECT coalesce(jsonb_object_agg(key, n), '{{}}') FROM (
    SELECT key, sum(value::bigint) AS n FROM (
        SELECT * FROM jsonb_each_text(h.{0}) UNION ALL SELECT * FROM jsonb_each_text(excluded.{0})) AS both_
    GROUP BY key) AS summed)"""
_SAVE = f"""
INSERT INTO job_hour AS h
    (job_name, hour, runs, failures, skipped, aborted, duration_histogram, lateness_histogram)
SELECT * FROM jsonb_to_recordset(%s::jsonb) AS new(job_name text, hour timestamptz, runs int, failures int,
    skipped int, aborted int, duration_histogram jsonb, lateness_histogram jsonb)
ORDER BY job_name, hour
ON CONFLICT (job_name, hour) DO UPDATE SET
    runs = h.runs + excluded.runs, failures = h.failures + excluded.failures,
    skipped = h.skipped + excluded.skipped, aborted = h.aborted + excluded.aborted,
    duration_histogram = {_SUM.format("duration_histogram")},
    lateness_histogram = {_SUM.format("lateness_histogram")}
"""  # noqa: S608 - made of constants
# One statement, so that a reader never sees an hour twice or not at all.
_FOLD = """
WITH gone AS (DELETE FROM job_hour WHERE hour < %s AND hour > to_timestamp(0) RETURNING *),
folded AS (
    INSERT INTO job_hour AS h
        (job_name, hour, runs, failures, skipped, aborted, duration_histogram, lateness_histogram)
    SELECT job_name, to_timestamp(0), sum(runs), sum(failures), sum(skipped), sum(aborted), '{}', '{}'
    FROM gone GROUP BY job_name
    ON CONFLICT (job_name, hour) DO UPDATE SET
        runs = h.runs + excluded.runs, failures = h.failures + excluded.failures,
        skipped = h.skipped + excluded.skipped, aborted = h.aborted + excluded.aborted)
SELECT count(*) FROM gone
"""


_COLUMNS = ("runs", "failures", "skipped", "aborted")


@dataclass(slots=True)
class _Hour:
    """The unsaved statistics of one job in one hour."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COLUMNS, 0))
    durations: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)

    def add(self, other: "_Hour") -> None:
        for column in _COLUMNS:
            self.counts[column] += other.counts[column]
        self.durations.merge(other.durations)
        self.lateness.merge(other.lateness)


KEPT = timedelta(days=90)
"""How long statistics and events are kept."""

_COUNTED_AS = {
    "ok": ("runs",),
    "failed": ("runs", "failures"),
    "skipped": ("skipped",),
    "aborted": ("aborted",),
}
_guard = threading.Lock()  # held for dictionary operations only, never during a query
_hours: dict[tuple[str, datetime], _Hour] = {}


def note(
    job_name: str, outcome: str, duration_ms: float | None, lateness_ms: float | None, at: datetime
) -> None:
    """Count an outcome, without a query.

    Args:
        job_name: of a registered job.
        outcome: "ok", "failed", "skipped" or "aborted", as in `RunResult.outcome`.
        duration_ms: counted only if the run came to its end.
        lateness_ms: from the tick to the start of the run; None if it did not start.
        at: when it was over, aware.
    """
    one = _Hour()
    for column in _COUNTED_AS[outcome]:
        one.counts[column] = 1
    if one.counts["runs"] and duration_ms is not None:
        one.durations.add(duration_ms)
    if lateness_ms is not None:
        one.lateness.add(lateness_ms)
    key = job_name, at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    _add({key: one})


def count(result: RunResult) -> None:
    note(result.job_name, result.outcome, result.duration_ms, result.lateness_ms, result.ended_at)


def flush() -> None:
    """Save everything counted since the last call, in one statement.

    Raises:
        django.db.Error: not saved, and kept for the next call. If only the answer got lost it is counted
            twice.
    """
    with _guard:
        taken = dict(_hours)
        _hours.clear()
    if not taken:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SAVE, [json.dumps([_row(*key, hour) for key, hour in taken.items()])])
    except BaseException:
        _add(taken)
        raise


def fold_before(cutoff: datetime) -> int:
    """Delete the hours before `cutoff`; return how many. Their counts are added to one row for each job.

    That row has the hour 1970-01-01. It keeps the counter `job_runs_total` from ever falling.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [cutoff])
        return int(cursor.fetchone()[0])


def _add(hours: dict[tuple[str, datetime], _Hour]) -> None:
    with _guard:
        for key, hour in hours.items():
            _hours.setdefault(key, _Hour()).add(hour)


def _row(job_name: str, at: datetime, hour: _Hour) -> dict[str, object]:
    return {
        "job_name": job_name,
        "hour": at.isoformat(),
        **hour.counts,
        "duration_histogram": hour.durations.as_json(),
        "lateness_histogram": hour.lateness.as_json(),
    }
