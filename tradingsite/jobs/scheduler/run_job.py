"""One run of one job: its attempts within the deadline, and its line in the log.

Rules: docs/scheduler.md R12, R14, R21.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from time import perf_counter

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from tenacity import RetryCallState, Retrying

from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import ClientError
from tradingsite.clients.retry import error_of, retrying
from tradingsite.jobs.job_metric import LONGEST_ERROR, describe, emit
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.scheduler import sql_deadline
from tradingsite.jobs.shutdown import winding_down
from tradingsite.jobs.timetable import ScheduledJob

logger = structlog.get_logger(__name__)

MOST_RETRIES = 3
# The venue or the database failed, not our code: the metric's line says all there is to say.
_NO_TRACEBACK = (ClientError, DatabaseError)


def execute_by_hand(job: ScheduledJob) -> RunResult:
    """Run a job's body by hand and log its one JobMetric. Raises only KeyboardInterrupt."""
    result, failure = execute(job, None)
    if isinstance(failure, KeyboardInterrupt):
        raise failure
    return result


def execute(
    job: ScheduledJob, tick: datetime | None, *, epoch: int = 0, lateness_ms: float | None = None
) -> tuple[RunResult, BaseException | None]:
    """Run a job's body, again after what may pass, and log its one JobMetric, whatever happens.

    Args:
        job: any job in force.
        tick: the instant of the timetable this run is for; None for a run by hand.
        epoch: of the claim.
        lateness_ms: how long after the tick this is called.
    """
    began, counts, failure = perf_counter(), dict[str, int](), None
    moment = tick or timezone.now()  # one for all attempts: the second must find what the first has done
    made = 0

    def attempt() -> Mapping[str, int]:
        nonlocal made
        made += 1
        return job.run(moment)

    with sql_deadline.bound(job.deadline_s) as until:
        try:
            counts = dict(attempts(until)(attempt))
        except BaseException as error:  # noqa: BLE001 - however a job fails, it leaves its line
            failure = error
    took_s = perf_counter() - began
    result = RunResult(
        job.name,
        tick,
        duration_ms=round(took_s * 1000, 2),
        counts=counts,
        error=_error(job, took_s, failure),
        attempts=made,
        lateness_ms=lateness_ms,
        epoch=epoch,
    )
    emit(result)
    if failure and not isinstance(failure, _NO_TRACEBACK):
        logger.error("job.crashed", job=job.name, exc_info=failure)
    return result, failure


def attempts(deadline: Deadline, pause: Callable[[float], bool] = winding_down.wait) -> Retrying:
    """Return what calls a body up to four times, until it returns or its error is not to be tried again.

    Args:
        deadline: a delay that does not fit into it is not begun.
        pause: waits so many seconds, or returns True at once when the process is to end.
    """

    def wait(state: RetryCallState) -> None:
        # Not in tenacity's own sleep: only here is the error known, and a stop must raise it.
        error, delay_s = type(error_of(state)).__name__, state.upcoming_sleep
        logger.info("job.again", attempt=state.attempt_number, delay_s=delay_s, error=error)
        close_old_connections()  # one that broke
        if pause(delay_s) and state.outcome:
            state.outcome.result()

    return retrying(
        retries=MOST_RETRIES,
        deadline=deadline,
        sleep=lambda _: None,
        before_sleep=wait,
        also=(OperationalError, InterfaceError),
    )


def _error(job: ScheduledJob, took_s: float, failure: BaseException | None) -> str | None:
    error = describe(failure) if failure else None
    if took_s <= job.deadline_s:
        return error
    late = f"deadline exceeded: it took {took_s:.2f} s, limit {job.deadline_s:g} s"
    return f"{late}; {error}"[:LONGEST_ERROR] if error else late
