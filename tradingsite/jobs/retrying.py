"""Trying a body again after an error that may pass (R14)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections

from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import RateLimited, Retryable
from tradingsite.jobs.shutdown import winding_down

logger = structlog.get_logger(__name__)

DELAYS_S = (1.0, 2.0, 4.0)
"""Before the second, third and last attempt."""


def may_pass(error: BaseException) -> bool:
    """Return whether the same work may succeed in a moment. A ban is not waited for."""
    if isinstance(error, RateLimited):
        return not error.banned
    return isinstance(error, Retryable | OperationalError | InterfaceError)


@dataclass(slots=True)
class Attempts:
    """The attempts of one run, counted.

    Attributes:
        pause: waits so many seconds, or returns True at once when the process is to end.
    """

    deadline: Deadline
    pause: Callable[[float], bool] = winding_down.wait
    made: int = 0

    def run(self, body: Callable[[], Mapping[str, int]]) -> Mapping[str, int]:
        """Return what `body` returns, or raise its last error.

        A delay that does not fit into the deadline is not begun.
        """
        for delay_s in (*DELAYS_S, None):
            self.made += 1
            try:
                return body()
            except Exception as error:
                if delay_s is None or not self._waits(error, delay_s):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _waits(self, error: Exception, delay_s: float) -> bool:
        if not may_pass(error):
            return False
        if isinstance(error, RateLimited):
            delay_s = max(delay_s, error.retry_after_s)
        if delay_s >= self.deadline.left_s():
            return False
        logger.info("job.again", attempt=self.made, delay_s=delay_s, error=type(error).__name__)
        close_old_connections()  # one that broke
        return not self.pause(delay_s)
