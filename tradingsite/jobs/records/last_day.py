"""The statistics of each job over the last 24 hours, summed from `job_hour` (docs/scheduler.md, R22)."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Sum
from django.db.models.functions import Now

from tradingsite.jobs.models import JobHour

WINDOW = timedelta(hours=24)
COUNTED = ("runs", "failures", "skipped", "aborted")
RATIO = 1.1
SMALLEST_MS = 0.01
"""Shorter times are counted as 0."""
_LOG = math.log(RATIO)
_NOTHING = math.floor(math.log(SMALLEST_MS) / _LOG) - 1


class Histogram:
    """Counts durations in buckets that grow by 10 %, so a percentile is within 4.9 % of the exact one."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        """Restore the result of `as_json`."""
        self.counts = Counter({int(bucket): count for bucket, count in (counts or {}).items()})

    def add(self, time_ms: float) -> None:
        """Count one duration. A negative one, after a clock was set back, counts as 0."""
        small = time_ms < SMALLEST_MS
        self.counts[_NOTHING if small else math.floor(math.log(time_ms) / _LOG)] += 1

    def merge(self, other: "Histogram") -> None:
        self.counts.update(other.counts)

    def percentile_ms(self, pct: float) -> float | None:
        """Return the smallest time that at least `pct` percent do not exceed; None if nothing was counted."""
        total = self.counts.total()
        if not total:
            return None
        rank, seen, bucket = max(1, math.ceil(total * pct / 100)), 0, _NOTHING
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                break
        return 0.0 if bucket == _NOTHING else float(RATIO ** (bucket + 0.5))

    def as_json(self) -> dict[str, int]:
        return {str(bucket): count for bucket, count in sorted(self.counts.items())}


@dataclass(slots=True)
class LastDay:
    """One job in the last 24 hours. Up to a minute may be missing: hours are saved once a minute."""

    runs: int = 0
    failures: int = 0
    skipped: int = 0
    aborted: int = 0
    durations: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)

    @property
    def success_rate_pct(self) -> float | None:
        """The share of the started runs that succeeded; None if none was started."""
        begun = self.runs + self.aborted
        return 100 * (self.runs - self.failures) / begun if begun else None

    def add(self, hour: JobHour) -> None:
        for column in COUNTED:
            setattr(self, column, getattr(self, column) + getattr(hour, column))
        self.durations.merge(Histogram(hour.duration_histogram))
        self.lateness.merge(Histogram(hour.lateness_histogram))


def last_day() -> dict[str, LastDay]:
    """Return the last 24 hours of each job, empty if it did not run, from 25 rows for each job."""
    days: dict[str, LastDay] = defaultdict(LastDay)
    for hour in JobHour.objects.filter(hour__gte=Now() - WINDOW):
        days[hour.job_name].add(hour)
    return days


def totals() -> dict[str, dict[str, int]]:
    """Return each job's counts since the beginning, which never fall, in one query."""
    sums = JobHour.objects.order_by().values_list("job_name").annotate(*(Sum(each) for each in COUNTED))
    return {name: dict(zip(COUNTED, counts, strict=True)) for name, *counts in sums}
