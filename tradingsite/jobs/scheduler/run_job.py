"""One run of one job: its attempts within the deadline, and its line in the log.

See docs/scheduler.md, R12, R14 and R21.
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
# The exchange or the database failed, not our code, so the metric's error text is enough.
_NO_TRACEBACK = (ClientError, DatabaseError)


def execute_by_hand(job: ScheduledJob) -> RunResult:
    """Run a job by hand and log its JobMetric. Raises only KeyboardInterrupt."""
    result, failure = execute(job, None)
    if isinstance(failure, KeyboardInterrupt):
        raise failure
    return result


def execute(
    job: ScheduledJob, tick: datetime | None, *, epoch: int = 0, lateness_ms: float | None = None
) -> tuple[RunResult, BaseException | None]:
    """Run a job, retrying temporary errors, and log its JobMetric in any case.

    Args:
        job: any registered job.
        tick: the scheduled instant of this run; None for a run by hand.
        epoch: of the claim.
        lateness_ms: how long after the tick this is called.
    """
    began, counts, failure = perf_counter(), dict[str, int](), None
    # The same for all attempts, so that a later one finds what an earlier one has done.
    moment = tick or timezone.now()
    made = 0

    def attempt() -> Mapping[str, int]:
        nonlocal made
        made += 1
        return job.run(moment)

    with sql_deadline.bound(job.deadline_s) as until:
        try:
            counts = dict(attempts(until)(attempt))
        except BaseException as error:  # noqa: BLE001 - every failure is logged as a metric
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
    """Return a retrier that calls a function up to four times, as long as its error is temporary.

    Args:
        deadline: no wait starts that would end after it.
        pause: waits for so many seconds; returns True, at once, when the process is stopping.
    """

    def wait(state: RetryCallState) -> None:
        # Not in tenacity's `sleep`, which does not know the error that is to be raised at a stop.
        error, delay_s = type(error_of(state)).__name__, state.upcoming_sleep
        logger.info("job.again", attempt=state.attempt_number, delay_s=delay_s, error=error)
        close_old_connections()  # a broken one
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
