"""The wall-clock bound of one call: everything that takes time is limited by what is left."""

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
    """The end of one call, its retries and waits included."""

    def __init__(self, within_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.within_s = within_s
        self._clock = clock
        self._end = clock.monotonic() + within_s

    @classmethod
    def of_call(cls, within_s: float, clock: Clock = SYSTEM_CLOCK) -> "Deadline":
        """Return the end of a call that may take `within_s`, and no longer than `overall` leaves it."""
        overall = _overall.get()
        return cls(within_s if overall is None else min(within_s, overall.left_s()), clock)

    def left_s(self) -> float:
        """Return the seconds left; negative when it is over."""
        return self._end - self._clock.monotonic()


_overall: ContextVar[Deadline | None] = ContextVar("overall", default=None)


@contextmanager
def overall_deadline(deadline: Deadline) -> Iterator[None]:
    """Let no call that begins inside, in this thread, take longer than `deadline` leaves it."""
    token = _overall.set(deadline)
    try:
        yield
    finally:
        _overall.reset(token)


def overall_left_s() -> float:
    """Return the seconds that are left of the deadline around this thread; infinite where there is none."""
    deadline = _overall.get()
    return float("inf") if deadline is None else deadline.left_s()
