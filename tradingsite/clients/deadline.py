"""The wall-clock bound of one call: everything that takes time asks it how much is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Where time comes from; tests bring one that does not sleep."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class Deadline:
    """The end of one call, its retries and waits included."""

    def __init__(self, within_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self.within_s = within_s
        self._clock = clock
        self._end = clock.monotonic() + within_s

    def left_s(self) -> float:
        """Return the seconds left; negative when it is over."""
        return self._end - self._clock.monotonic()
