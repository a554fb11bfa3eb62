"""One run of one job: the body, its measurement and its line in the log (R21)."""

from datetime import datetime
from time import perf_counter

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from tradingsite.clients.errors import ClientError
from tradingsite.jobs.metric import describe, emit
from tradingsite.jobs.models import JobState
from tradingsite.jobs.outcome import Outcome
from tradingsite.jobs.schedule import ScheduledJob

logger = structlog.get_logger(__name__)

# The venue or the database failed, not our code: the metric's line says all there is to say.
_NO_TRACEBACK = (ClientError, DatabaseError)


def perform(job: ScheduledJob, tick: datetime | None = None) -> Outcome:
    """Run a job's body once and log its one JobMetric, whatever happens. Raises only KeyboardInterrupt.

    Args:
        job: any job in force.
        tick: the instant of the timetable this run is for; None for a run by hand, not noted as begun.
    """
    began, counts, failure = perf_counter(), {}, None
    try:
        if tick is not None:
            JobState.objects.started(job.name, tick)
        counts = dict(job.run(tick or timezone.now()))
    except BaseException as error:  # noqa: BLE001 - however a job fails, it leaves its line
        failure = error
    outcome = Outcome(
        job.name,
        tick,
        duration_ms=round((perf_counter() - began) * 1000, 2),
        counts=counts,
        error=describe(failure) if failure else None,
    )
    emit(outcome)
    if isinstance(failure, KeyboardInterrupt):
        raise failure
    if failure and not isinstance(failure, _NO_TRACEBACK):
        logger.error("job.crashed", job=job.name, exc_info=failure)
    return outcome
