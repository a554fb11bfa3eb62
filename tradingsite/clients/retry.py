"""Repeats a failed read after a delay. Never use it around a call that sends an order.

Rules: docs/upbit-client.md U7.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception

from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.errors import RateLimited, Retryable

T = TypeVar("T")

DELAYS_S = (1, 2, 4)
"""Before the first, the second, and every later retry."""

logger = structlog.get_logger(__name__)


def retry_read(attempt: Callable[[], T], *, retries: int, deadline: Deadline, clock: Clock) -> T:
    """Return the result of `attempt`, which must only read, or raise its last error. See `retrying`."""
    trying = retrying(retries=retries, deadline=deadline, sleep=clock.sleep, before_sleep=_log)
    return trying(attempt)


def retrying(
    *,
    retries: int,
    deadline: Deadline,
    sleep: Callable[[float], None],
    before_sleep: Callable[[RetryCallState], None],
    also: tuple[type[Exception], ...] = (),
) -> Retrying:
    """Return a tenacity retrier: up to `retries` more attempts after a Retryable error or one of `also`.

    A ban is not waited for, and if the next delay would pass the deadline, the last error is raised at once.
    """

    def may_pass(error: BaseException) -> bool:
        if isinstance(error, RateLimited):
            return not error.banned
        return isinstance(error, (Retryable, *also))

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number > retries or state.upcoming_sleep >= deadline.left_s()

    return Retrying(
        retry=retry_if_exception(may_pass),
        wait=_delay_s,
        stop=is_over,
        sleep=sleep,
        before_sleep=before_sleep,
        reraise=True,
    )


def error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _delay_s(state: RetryCallState) -> float:
    delay_s = DELAYS_S[min(state.attempt_number, len(DELAYS_S)) - 1]
    error = error_of(state)
    return max(delay_s, error.retry_after_s) if isinstance(error, RateLimited) else delay_s


def _log(state: RetryCallState) -> None:
    logger.info("read.again", delay_s=state.upcoming_sleep, error=str(error_of(state)))
