"""Closes runs whose process died, and quarantines a job that ends its process again and again.

See docs/scheduler.md, R3 and R13.
"""

from datetime import timedelta

import structlog
from django.db.models.functions import Now

from tradingsite.jobs.models import QUARANTINE, JobEvent, JobState
from tradingsite.jobs.records import rollup
from tradingsite.jobs.run_result import ABORTED, RunResult
from tradingsite.jobs.timetable import ScheduledJob

logger = structlog.get_logger(__name__)

MOST_EXITS = 3
WITHIN = timedelta(minutes=15)
_BY_HARD_LIMIT = "by its hard limit"


def note_overrun(job: ScheduledJob, ran_s: float) -> None:
    """Record that a run is close to its hard limit, so that the next leader knows why the process ended.

    The watchdog ends the process without a query, since the run may hang in one.
    """
    text = f"still running after {ran_s:.1f} s; at {job.hard_limit_s:g} s its process ends itself"
    JobEvent.objects.create(job_name=job.name, kind=JobEvent.Kind.HARD_LIMIT, text=text)


def close(state: JobState, job: ScheduledJob) -> RunResult | None:
    """Record that the run of `state` was aborted; return what is still to be logged.

    That is None if its process logged it already, at its hard limit, or if another process has closed it.
    """
    noted = JobEvent.objects.filter(job_name=job.name, kind=JobEvent.Kind.HARD_LIMIT)
    overran = noted.filter(at__gte=state.running_since).exists()
    why = f"{_BY_HARD_LIMIT} of {job.hard_limit_s:g} s" if overran else "its scheduler ended first"
    result = RunResult(job.name, state.last_tick, 0, error=f"{ABORTED}: {why}", epoch=state.claim_epoch)
    if not JobState.objects.record(result, for_another=True):
        return None
    rollup.count(result)
    JobEvent.objects.create(job_name=job.name, kind=JobEvent.Kind.ABORTED, text=why)
    if overran:
        _judge(job)
        return None
    return result


def lift(name: str) -> None:
    quarantined = JobState.objects.filter(job_name=name, paused=True, pause_reason__startswith=QUARANTINE)
    if quarantined.update(paused=False, pause_reason="", paused_by="", paused_at=None):
        JobEvent.objects.create(job_name=name, kind=JobEvent.Kind.RESUMED, text="a trial run succeeded")
        logger.warning("job.quarantine_ended", job=name)


def _judge(job: ScheduledJob) -> None:
    events = JobEvent.objects.filter(job_name=job.name)
    exits = events.filter(kind=JobEvent.Kind.ABORTED, text__startswith=_BY_HARD_LIMIT, at__gte=Now() - WITHIN)
    resumed = events.filter(kind=JobEvent.Kind.RESUMED).order_by("-at").values_list("at", flat=True).first()
    if resumed is not None:  # an operator has dealt with the earlier ones
        exits = exits.filter(at__gt=resumed)
    count = exits.count()
    if count < MOST_EXITS:
        return
    minutes = round(WITHIN / timedelta(minutes=1))
    limit = f"{_BY_HARD_LIMIT} of {job.hard_limit_s:g} s"
    reason = f"{QUARANTINE} ended its process {count} times within {minutes} min, {limit}"
    running = JobState.objects.filter(job_name=job.name, paused=False)
    if running.update(paused=True, pause_reason=reason, paused_by="scheduler", paused_at=Now()):
        JobEvent.objects.create(job_name=job.name, kind=JobEvent.Kind.QUARANTINED, text=reason)
        logger.error("job.quarantined", job=job.name, reason=reason)
