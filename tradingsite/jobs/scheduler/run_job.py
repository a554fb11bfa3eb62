"""One run of one job: its body within the deadline, its measure and its line in the log (R12, R14, R21)."""

from datetime import datetime
from time import perf_counter

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from tradingsite.clients.errors import ClientError
from tradingsite.jobs.job_metric import LONGEST_ERROR, describe, emit
from tradingsite.jobs.retrying import Attempts
from tradingsite.jobs.run_result import Outcome
from tradingsite.jobs.schedule import ScheduledJob
from tradingsite.jobs.scheduler import sql_deadline as deadline

logger = structlog.get_logger(__name__)

# The venue or the database failed, not our code: the metric's line says all there is to say.
_NO_TRACEBACK = (ClientError, DatabaseError)


def perform(job: ScheduledJob) -> Outcome:
    """Run a job's body by hand and log its one JobMetric. Raises only KeyboardInterrupt."""
    outcome, failure = measured(job, None)
    if isinstance(failure, KeyboardInterrupt):
        raise failure
    return outcome


def measured(
    job: ScheduledJob, tick: datetime | None, *, epoch: int = 0, lateness_ms: float | None = None
) -> tuple[Outcome, BaseException | None]:
    """Run a job's body, again after what may pass, and log its one JobMetric, whatever happens.

    Args:
        job: any job in force.
        tick: the instant of the timetable this run is for; None for a run by hand.
        epoch: of the claim.
        lateness_ms: how long after the tick this is called.
    """
    began, counts, failure = perf_counter(), dict[str, int](), None
    moment = tick or timezone.now()  # one for all attempts: the second must find what the first has done
    with deadline.bound(job.deadline_s) as until:
        attempts = Attempts(until)
        try:
            counts = dict(attempts.run(lambda: job.run(moment)))
        except BaseException as error:  # noqa: BLE001 - however a job fails, it leaves its line
            failure = error
    took_s = perf_counter() - began
    outcome = Outcome(
        job.name,
        tick,
        duration_ms=round(took_s * 1000, 2),
        counts=counts,
        error=_error(job, took_s, failure),
        attempts=attempts.made,
        lateness_ms=lateness_ms,
        epoch=epoch,
    )
    emit(outcome)
    if failure and not isinstance(failure, _NO_TRACEBACK):
        logger.error("job.crashed", job=job.name, exc_info=failure)
    return outcome, failure


def _error(job: ScheduledJob, took_s: float, failure: BaseException | None) -> str | None:
    error = describe(failure) if failure else None
    if took_s <= job.deadline_s:
        return error
    late = f"deadline exceeded: it took {took_s:.2f} s, limit {job.deadline_s:g} s"
    return f"{late}; {error}"[:LONGEST_ERROR] if error else late
