"""What each job did in the last 24 hours, from the saved hours (docs/scheduler.md R22)."""

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
"""What is less is as good as nothing, and shown as 0."""
_LOG = math.log(RATIO)
_NOTHING = math.floor(math.log(SMALLEST_MS) / _LOG) - 1


class Histogram:
    """Counts times in milliseconds. A percentile is at most 4.9 % from the exact one: half a bucket."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        """Take what `as_json` gave."""
        self.counts = Counter({int(bucket): count for bucket, count in (counts or {}).items()})

    def add(self, time_ms: float) -> None:
        """Count one time. Less than nothing, as a clock that was set back gives it, is nothing."""
        small = time_ms < SMALLEST_MS
        self.counts[_NOTHING if small else math.floor(math.log(time_ms) / _LOG)] += 1

    def merge(self, other: "Histogram") -> None:
        self.counts.update(other.counts)

    def percentile_ms(self, pct: float) -> float | None:
        """Return the smallest time that at least `pct` percent do not exceed; None of an empty histogram."""
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
    """One job's last 24 hours. A minute may be missing: hours are saved once a minute."""

    runs: int = 0
    failures: int = 0
    skipped: int = 0
    aborted: int = 0
    durations: Histogram = field(default_factory=Histogram)
    lateness: Histogram = field(default_factory=Histogram)

    @property
    def success_rate_pct(self) -> float | None:
        """Return the share of the begun runs that succeeded; None where none was begun."""
        begun = self.runs + self.aborted
        return 100 * (self.runs - self.failures) / begun if begun else None

    def add(self, hour: JobHour) -> None:
        for column in COUNTED:
            setattr(self, column, getattr(self, column) + getattr(hour, column))
        self.durations.merge(Histogram(hour.duration_histogram))
        self.lateness.merge(Histogram(hour.lateness_histogram))


def last_day() -> dict[str, LastDay]:
    """Return each job's last 24 hours, empty for those that did nothing; a query of 25 rows a job."""
    days: dict[str, LastDay] = defaultdict(LastDay)
    for hour in JobHour.objects.filter(hour__gte=Now() - WINDOW):
        days[hour.job_name].add(hour)
    return days


def totals() -> dict[str, dict[str, int]]:
    """Return each job's counts since the beginning, which never go down; one query."""
    sums = JobHour.objects.order_by().values_list("job_name").annotate(*(Sum(each) for each in COUNTED))
    return {name: dict(zip(COUNTED, counts, strict=True)) for name, *counts in sums}
