"""How the scheduler and its jobs stand, from the database and by the database's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_apscheduler.models import DjangoJob

from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.schedule import ScheduledJob, registered

HEARTBEAT_LIMIT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class JobStanding:
    """One registered job, whether it ever ran or not."""

    job: ScheduledJob
    state: JobState | None
    next_run_at: datetime | None
    late_by: timedelta | None
    """How much too late it is; None while it is on time or no scheduler ever led."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything at one moment."""

    leader: SchedulerHeartbeat | None
    """Who leads or led last; None when no scheduler ever did."""
    now: datetime
    """The database's."""
    jobs: tuple[JobStanding, ...]

    @property
    def heartbeat_age(self) -> timedelta | None:
        return self.now - self.leader.heartbeat_at if self.leader else None

    @property
    def alive(self) -> bool:
        return self.heartbeat_age is not None and self.heartbeat_age <= HEARTBEAT_LIMIT

    @property
    def late(self) -> list[JobStanding]:
        return [standing for standing in self.jobs if standing.late_by is not None]


def read() -> Standing:
    """Ask the database, in three short queries."""
    leader, now = SchedulerHeartbeat.objects.by_the_clock()
    states = JobState.objects.in_bulk()
    next_runs = dict(DjangoJob.objects.values_list("id", "next_run_time"))
    jobs = tuple(
        JobStanding(job, states.get(name), next_runs.get(name), _late_by(job, states.get(name), leader, now))
        for name, job in registered().items()
    )
    return Standing(leader, now, jobs)


def _late_by(
    job: ScheduledJob, state: JobState | None, leader: SchedulerHeartbeat | None, now: datetime
) -> timedelta | None:
    """Count from the last tick, or from when the present leader began: what came before was not its job."""
    if leader is None:
        return None
    last_tick = state.last_tick if state else None
    since = max(last_tick, leader.acquired_at) if last_tick else leader.acquired_at
    return job.late_by(since, now)
