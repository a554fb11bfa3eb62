"""What each job did in the last 24 hours, from the saved hours (R22)."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Sum
from django.db.models.functions import Now

from tradingsite.jobs.histogram import Histogram
from tradingsite.jobs.models import JobHour

WINDOW = timedelta(hours=24)
COUNTED = ("runs", "failures", "skipped", "aborted")


@dataclass(slots=True)
class Lately:
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
        """Add one saved hour."""
        for column in COUNTED:
            setattr(self, column, getattr(self, column) + getattr(hour, column))
        self.durations.merge(Histogram(hour.duration_histogram))
        self.lateness.merge(Histogram(hour.lateness_histogram))


def last_day() -> dict[str, Lately]:
    """Return each job's last 24 hours, empty for those that did nothing; a query of 25 rows a job."""
    days: dict[str, Lately] = defaultdict(Lately)
    for hour in JobHour.objects.filter(hour__gte=Now() - WINDOW):
        days[hour.job_name].add(hour)
    return days


def ever() -> dict[str, dict[str, int]]:
    """Return each job's counts since the beginning, which never go down; one query."""
    sums = JobHour.objects.order_by().values_list("job_name").annotate(*(Sum(each) for each in COUNTED))
    return {name: dict(zip(COUNTED, counts, strict=True)) for name, *counts in sums}
