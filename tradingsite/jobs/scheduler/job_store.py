"""The job store for APScheduler: jobs are defined in code, only next run times are in the database.

See docs/scheduler.md, R16.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from apscheduler.job import Job
from django.db import Error, connection, models
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from tradingsite.jobs.timetable import UNLIMITED, AlignedInterval, ScheduledJob

logger = structlog.get_logger(__name__)


class CodeJobStore(DjangoJobStore):  # type: ignore[misc]  # django_apscheduler has no types
    """django-apscheduler's table, without its pickles.

    A pickle is neither read nor written: anybody who can write to the table could run code with it, and a
    release that does not know a job would delete its row. Rows of unknown jobs are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}
        self._unsaved: dict[str, datetime] = {}

    def register_event_listeners(self) -> None:
        """Register none: `runner` records runs, with two statements instead of eight."""

    def add_job(self, job: Job) -> None:
        """Add a job. `align` writes its row, once this process leads."""
        self._jobs[job.id] = job

    def lookup_job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def get_all_jobs(self) -> list[Job]:
        return list(self._jobs.values())

    def align(
        self, jobs: Iterable[ScheduledJob], last_ticks: Mapping[str, datetime | None], now: datetime
    ) -> None:
        """Set the next run time of every job. Called when this process becomes leader.

        A time in the future stays, so a restart moves nothing. If it passed without a leader, the last tick
        is run now, provided it was not run and is at most `catch_up` old; otherwise the next tick. A job that
        never succeeded (no last tick) starts with the next tick, or immediately if it is `at_once`. A job
        with unlimited `catch_up` always runs immediately, off the grid if its last tick was run.
        """
        planned = dict(self._rows().values_list("id", "next_run_time"))
        rows = [
            DjangoJob(
                id=job.name,
                next_run_time=_first_run(job, planned.get(job.name), last_ticks.get(job.name), now),
                job_state=b"",
            )
            for job in jobs
        ]
        DjangoJob.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["id"], update_fields=["next_run_time"]
        )
        self._unsaved.clear()

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Read the next run time of every known job; return the jobs that are due.

        They are in the order in which they were added. A time edited by hand is respected. One far beyond the
        next tick, left when a clock was set back, is not. A row without a time is not run.
        """
        for name, saved in self._rows().values_list("id", "next_run_time"):
            job = self._jobs[name]
            job.next_run_time = self._next_run_time(job, saved, now)
        return [job for job in self._jobs.values() if job.next_run_time and job.next_run_time <= now]

    def _next_run_time(self, job: Job, saved: datetime | None, now: datetime) -> datetime | None:
        if saved is None:
            return None
        if not _too_far_ahead(job.trigger, saved, now):
            return max(saved, self._unsaved.get(job.id, saved))
        known: datetime | None = job.next_run_time
        if known is None or _too_far_ahead(job.trigger, known, now):
            known = job.trigger.floor(now) + job.trigger.every
        return known

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due, from what was read and written last."""
        return min((job.next_run_time for job in self._jobs.values() if job.next_run_time), default=None)

    def update_job(self, job: Job) -> None:
        """Save the next run time. If that fails keep it in memory, so that no tick is run twice."""
        try:
            if not self._rows().filter(id=job.id).update(next_run_time=job.next_run_time):
                DjangoJob.objects.create(id=job.id, next_run_time=job.next_run_time, job_state=b"")
        except Error as error:
            connection.close()
            self._unsaved[job.id] = job.next_run_time
            logger.warning("store.not_saved", job=job.id, error=type(error).__name__)
        else:
            self._unsaved.pop(job.id, None)

    def _rows(self) -> "models.QuerySet[models.Model]":
        rows: models.QuerySet[models.Model] = DjangoJob.objects.filter(id__in=list(self._jobs))
        return rows


def _first_run(
    job: ScheduledJob, planned: datetime | None, last_tick: datetime | None, now: datetime
) -> datetime:
    trigger = job.trigger
    due = trigger.floor(now)
    if job.catch_up == UNLIMITED:
        return due if last_tick is None or last_tick < due else now
    if job.at_once and last_tick is None:
        return due
    if planned is not None and planned > now:
        return due + trigger.every if _too_far_ahead(trigger, planned, now) else planned
    missed = planned is not None and (last_tick is None or last_tick < due)
    return due if missed and now - due <= job.catch_up else due + trigger.every


def _too_far_ahead(trigger: AlignedInterval, planned: datetime, now: datetime) -> bool:
    # Twice, since after a clock is set back a little the tick just run must not be due again.
    return planned - now > 2 * trigger.every
