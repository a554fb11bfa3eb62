"""The state of the scheduler and of each job; all ages are by the database's clock.

See docs/scheduler.md, R23.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from django.db import models
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from tradingsite.jobs.models import JobEvent, JobState, SchedulerHeartbeat, SchedulerProcess
from tradingsite.jobs.timetable import ScheduledJob, registered

HEARTBEAT_LIMIT = timedelta(seconds=15)
LOOP_LIMIT = timedelta(seconds=10)
LOOP_STUCK = _("Its loop is stuck: no job starts.")
"""Shown for a leader that is `stuck`."""
MOST_FAILURES = 3
_DAY = timedelta(hours=24)


@dataclass(frozen=True)
class JobStatus:
    """One registered job, even if it never ran. A paused job is neither late nor failing nor stale."""

    class State(models.TextChoices):
        """All states, the worst first. The first one that applies is the `state` of the job."""

        QUARANTINED = "quarantined", _("quarantined")
        """The scheduler paused it after it had ended its process several times."""
        OVERRUN = "overrun", _("overrun")
        """Its run has passed the deadline."""
        LATE = "late", _("late")
        """Its tick is overdue."""
        FAILING = "failing", _("failing")
        """Too many failures in a row."""
        STALE = "stale", _("stale")
        """No success for too long."""
        PAUSED = "paused", _("paused")
        """By an operator. Ranks above FAILED, since an operator knows already."""
        FAILED = "failed", _("failed")
        """Its last run failed. Ranks above RUNNING, since the next run may fail, too."""
        RUNNING = "running", _("running")
        OK = "ok", _("ok")
        """Its last run succeeded."""
        NEVER_RAN = "never_ran", _("not run yet")

    job: ScheduledJob
    row: JobState | None
    next_run_at: datetime | None
    now: datetime
    awaited_since: datetime | None
    """When a leader took over after the last tick, or when the job was resumed if that was later.

    None before the first leader.
    """

    @cached_property
    def state(self) -> State:
        return next(state for state, holds in self._states() if holds)

    def _states(self) -> Iterator[tuple[State, bool]]:
        succeeded = self.row.last_success if self.row else None
        yield JobStatus.State.QUARANTINED, self.quarantined
        yield JobStatus.State.OVERRUN, self.overrun is not None
        yield JobStatus.State.LATE, self.late_by is not None
        yield JobStatus.State.FAILING, self.failing is not None
        yield JobStatus.State.STALE, self.stale is not None
        yield JobStatus.State.PAUSED, self.paused
        yield JobStatus.State.FAILED, succeeded is False
        yield JobStatus.State.RUNNING, self.running_for is not None
        yield JobStatus.State.OK, succeeded is True
        yield JobStatus.State.NEVER_RAN, True

    @property
    def look(self) -> Literal["healthy", "warning", "unhealthy", "idle", "run"]:
        match self.state:
            case JobStatus.State.OK:
                return "healthy"
            case JobStatus.State.RUNNING:
                return "run"
            case JobStatus.State.PAUSED | JobStatus.State.NEVER_RAN:
                return "idle"
            case JobStatus.State.FAILED:
                return "warning"
            case JobStatus.State.QUARANTINED:
                # Money is at stake while one of the `always_tried` jobs does not run.
                return "unhealthy" if self.job.always_tried else "warning"
        return "unhealthy"

    @property
    def state_for(self) -> timedelta | None:
        """How long it has been late, stale or running, if that is its state."""
        times = {
            JobStatus.State.OVERRUN: self.running_for,
            JobStatus.State.LATE: self.late_by,
            JobStatus.State.STALE: self.stale,
            JobStatus.State.RUNNING: self.running_for,
        }
        return times.get(self.state)

    @property
    def paused(self) -> bool:
        return self.row is not None and self.row.paused

    @property
    def quarantined(self) -> bool:
        return self.row is not None and self.row.quarantined

    @property
    def why_paused(self) -> str:
        return self.row.why_paused if self.row else ""

    @property
    def late_by(self) -> timedelta | None:
        """How late it is; None while it is on time, or if no scheduler ever led."""
        since = self._since(self.row.last_tick if self.row else None)
        return None if since is None or self.paused else self.job.late_by(since, self.now)

    @property
    def success_age(self) -> timedelta | None:
        """How long ago it last succeeded; None if it never did."""
        last = self.row.last_success_at if self.row else None
        return self.now - last if last else None

    @property
    def running_for(self) -> timedelta | None:
        return self.now - self.row.running_since if self.row and self.row.running_since else None

    @property
    def overrun(self) -> timedelta | None:
        """How long its run has taken so far, if that is more than its deadline."""
        ran = self.running_for
        return ran if ran is not None and ran > timedelta(seconds=self.job.deadline_s) else None

    @property
    def failing(self) -> int | None:
        """The number of failures in a row, if too many: 3, or 1 for a daily job."""
        failures = self.row.consecutive_failures if self.row and not self.paused else 0
        return failures if failures >= (1 if self.job.every >= _DAY else MOST_FAILURES) else None

    @property
    def stale(self) -> timedelta | None:
        """How long it has not succeeded, if too long: 3 intervals, or 26 h for a daily job."""
        since = self._since(self.row.last_success_at if self.row else None)
        if since is None or self.paused:
            return None
        limit = timedelta(hours=26) if self.job.every >= _DAY else 3 * self.job.every
        age = self.now - since
        return age if age > limit else None

    def _since(self, last: datetime | None) -> datetime | None:
        """Return when waiting began: time without a leader, or before it was resumed, does not count."""
        if self.awaited_since is None:
            return None
        return max(last, self.awaited_since) if last else self.awaited_since


@dataclass(frozen=True)
class SchedulerStatus:
    leader: SchedulerHeartbeat | None
    """The present or last leader; None if there never was one."""
    now: datetime
    """By the database's clock."""
    jobs: tuple[JobStatus, ...]
    processes: tuple[SchedulerProcess, ...] = field(default=())
    """Those that reported within the last 20 s."""

    @property
    def heartbeat_age(self) -> timedelta | None:
        return self.now - self.leader.heartbeat_at if self.leader else None

    @property
    def alive(self) -> bool:
        return self.heartbeat_age is not None and self.heartbeat_age <= HEARTBEAT_LIMIT

    @property
    def loop_lag(self) -> timedelta | None:
        """How long the loop had not turned at the last heartbeat; None before the first."""
        if self.leader is None or self.leader.last_loop_at is None:
            return None
        return self.leader.heartbeat_at - self.leader.last_loop_at

    @property
    def stuck(self) -> bool:
        return self.loop_lag is not None and self.loop_lag > LOOP_LIMIT

    def job(self, name: str) -> JobStatus:
        return next(each for each in self.jobs if each.job.name == name)

    @cached_property
    def standbys(self) -> list[SchedulerProcess]:
        return [each for each in self.processes if each.role == SchedulerProcess.Role.STANDBY]


_GONE_AFTER = timedelta(seconds=20)
_LONGEST_EXCUSE = timedelta(hours=27)  # a daily job is stale after 26


def read() -> SchedulerStatus:
    """Read the state of the scheduler and all jobs, in six short queries."""
    leader, now = SchedulerHeartbeat.objects.by_the_clock()
    states = JobState.objects.in_bulk()
    next_runs = dict(DjangoJob.objects.values_list("id", "next_run_time"))
    resumed = _resumed()
    jobs = tuple(
        JobStatus(
            job,
            states.get(name),
            next_runs.get(name),
            now,
            _responsible_since(leader, states.get(name), resumed.get(name)),
        )
        for name, job in registered().items()
    )
    there = SchedulerProcess.objects.filter(seen_at__gte=Now() - _GONE_AFTER)
    return SchedulerStatus(leader, now, jobs, tuple(there))


def read_job(name: str) -> JobStatus:
    """Read a job's row and the database's time, in one query.

    Enough to say whether it is paused or quarantined and when it last succeeded; not whether it is late, for
    which `read` also reads the leader.
    """
    row = JobState.objects.filter(pk=name).annotate(read_at=Now()).first()
    now = getattr(row, "read_at", None) or timezone.now()
    return JobStatus(registered()[name], row, next_run_at=None, now=now, awaited_since=None)


def _resumed() -> dict[str, datetime]:
    """Return when jobs were last resumed, as far back as it matters for lateness."""
    resumed = JobEvent.objects.filter(
        kind=JobEvent.Kind.RESUMED, job_name__in=list(registered()), at__gte=Now() - _LONGEST_EXCUSE
    )
    return dict(resumed.order_by().values_list("job_name").annotate(Max("at")))


def _responsible_since(
    leader: SchedulerHeartbeat | None, state: JobState | None, resumed_at: datetime | None
) -> datetime | None:
    if leader is None:
        return None
    # A leader of an older release does not set it, and the row may have been deleted.
    since = (state.awaited_since if state else None) or leader.acquired_at
    return max(since, resumed_at) if resumed_at else since
