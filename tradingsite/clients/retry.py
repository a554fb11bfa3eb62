"""Asking again. For reads only: an order is never sent twice."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception

from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.errors import RateLimited, Retryable

T = TypeVar("T")

DELAYS_S = (1, 2, 4)
"""Before the first, second and every later retry."""

logger = structlog.get_logger(__name__)


def read_again(attempt: Callable[[], T], *, retries: int, deadline: Deadline, clock: Clock) -> T:
    """Return what `attempt` returns, trying up to `retries` more times after a Retryable error.

    A ban is not waited for, and a delay that does not fit into the time left is not begun: the error rises.
    """

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number > retries or state.upcoming_sleep >= deadline.left_s()

    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=_delay_s,
        stop=is_over,
        sleep=clock.sleep,
        before_sleep=_log,
        reraise=True,
    )
    return retrying(attempt)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Retryable) and not (isinstance(error, RateLimited) and error.banned)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _delay_s(state: RetryCallState) -> float:
    delay_s = DELAYS_S[min(state.attempt_number, len(DELAYS_S)) - 1]
    error = _error(state)
    return max(delay_s, error.retry_after_s) if isinstance(error, RateLimited) else delay_s


def _log(state: RetryCallState) -> None:
    logger.info("read.again", delay_s=state.upcoming_sleep, error=str(_error(state)))
