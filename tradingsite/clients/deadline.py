"""The deadline of one call to a venue.

Waits, retries, connects and reads each get only the time that is left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class Deadline:
    """When one call must be over, including its retries and waits."""

    def __init__(self, within_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.within_s = within_s
        self._clock = clock
        self._end = clock.monotonic() + within_s

    @classmethod
    def of_call(cls, within_s: float, clock: Clock = SYSTEM_CLOCK) -> "Deadline":
        """Return a deadline in `within_s` seconds, or sooner if an outer `overall_deadline` ends first."""
        overall = _overall.get()
        return cls(within_s if overall is None else min(within_s, overall.left_s()), clock)

    def left_s(self) -> float:
        """Return the seconds left; negative once the deadline has passed."""
        return self._end - self._clock.monotonic()


_overall: ContextVar[Deadline | None] = ContextVar("overall", default=None)


@contextmanager
def overall_deadline(deadline: Deadline) -> Iterator[None]:
    """Limit every call made in this block and thread to `deadline`, in addition to its own timeout."""
    token = _overall.set(deadline)
    try:
        yield
    finally:
        _overall.reset(token)


def overall_left_s() -> float:
    """Return the seconds left of the enclosing `overall_deadline`; infinite without one."""
    deadline = _overall.get()
    return float("inf") if deadline is None else deadline.left_s()
