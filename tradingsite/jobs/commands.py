"""What people have asked for: runs out of turn, left as columns by admin and command line (R18)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, When
from django.db.models.functions import Now

from tradingsite.jobs.models import JobState


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that somebody has asked for."""

    job_name: str
    tick: datetime
    """What it is claimed as: when it was asked for, or now if a tick of the timetable has been run since."""


def due(known: Collection[str]) -> list[RunRequest]:
    """Return what is asked for of the `known` jobs and not yet begun; a claim takes the request away."""
    asked = F("run_requested_at")
    tick = Case(When(last_tick__gte=asked, then=Now()), default=asked)
    rows = JobState.objects.filter(job_name__in=known, run_requested_at__isnull=False).annotate(tick=tick)
    return [RunRequest(name, at) for name, at in rows.values_list("job_name", "tick")]
