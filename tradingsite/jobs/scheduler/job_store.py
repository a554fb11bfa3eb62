"""The job store: definitions come from code, only the next run time from the database.

Rules: docs/scheduler.md R16.
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
    """django-apscheduler's table without its pickles.

    A pickle is neither read nor written: whoever may write the table could run code by it, and a version that
    does not know a job would delete its row. Rows of unknown jobs are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._jobs: dict[str, Job] = {}
        self._unsaved: dict[str, datetime] = {}

    def register_event_listeners(self) -> None:
        """Add none: runs are recorded by `runner`, in two statements instead of eight."""

    def add_job(self, job: Job) -> None:
        """Take a definition. Its row is made by `align`, once this process leads."""
        self._jobs[job.id] = job

    def lookup_job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def get_all_jobs(self) -> list[Job]:
        return list(self._jobs.values())

    def align(
        self, jobs: Iterable[ScheduledJob], last_ticks: Mapping[str, datetime | None], now: datetime
    ) -> None:
        """Give every job a next run time. Called when this process begins to lead.

        One that lies ahead stays: a restart moves nothing. One that passed while nobody led becomes the last
        tick, if that has not been run and is no older than the job's `catch_up`; else the next tick. A job
        that never succeeded (no last tick) begins with the next tick, or at once with the last if it says so.
        One whose `catch_up` is unlimited runs at once in any case, off the grid if its last tick was run.
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
        """Read every known job's next run time and return those that are due.

        A time edited by hand is obeyed; one far beyond the next tick, as a clock that was set back leaves it,
        is not. A row without a time is not run. They come in the order in which they were added.
        """
        for name, saved in self._rows().values_list("id", "next_run_time"):
            job = self._jobs[name]
            job.next_run_time = self._believed(job, saved, now)
        return [job for job in self._jobs.values() if job.next_run_time and job.next_run_time <= now]

    def _believed(self, job: Job, saved: datetime | None, now: datetime) -> datetime | None:
        if saved is None:
            return None
        if not _too_far_ahead(job.trigger, saved, now):
            return max(saved, self._unsaved.get(job.id, saved))
        known: datetime | None = job.next_run_time
        if known is None or _too_far_ahead(job.trigger, known, now):
            known = job.trigger.floor(now) + job.trigger.every
        return known

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due, by what `get_due_jobs` read and `update_job` changed since."""
        return min((job.next_run_time for job in self._jobs.values() if job.next_run_time), default=None)

    def update_job(self, job: Job) -> None:
        """Save the next run time. Where that fails it is remembered: the same tick must not run twice."""
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
    # Twice: a clock that is set back a little must not make a tick that has just been run due again.
    return planned - now > 2 * trigger.every
