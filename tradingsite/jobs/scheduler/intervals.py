"""How long what may take. Process tests name a scaled set in `settings.JOBS_INTERVALS`."""

import time
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Intervals:
    """The scheduler's periods and limits, in seconds."""

    poll_s: float = 1.0
    """How often the lock is tried or verified, and commands are looked for."""
    beat_every_s: float = 4.0
    seen_every_s: float = 5.0
    """How often a process, leader or standby, says that it is there."""
    gone_after_s: float = 20.0
    """A process that has not said so for this long is forgotten."""
    flush_every_s: float = 60.0
    """How much of the roll-up a crash may lose."""
    frozen_after_s: float = 15.0
    """A supervisor that has not come round for this long ends its process; a leader that has not beaten for
    this long is ended by a standby."""
    loop_dead_after_s: float = 30.0
    """A loop that has not come round for this long gets no heartbeat; half as long again ends the process."""
    longest_wait_s: float = 5.0
    """The loop comes round at least this often, also while it rests: it notices edited rows and clocks."""
    venue_stats_every_s: float = 5.0
    """How often the leader writes what became of its calls to the exchange, if there were any."""
    health_look_every_s: float = 15.0
    """How often the leader looks at the components for the history of health."""
    watch_every_s: float = 0.5
    retry_after_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    """After one failure, two, and all further ones in a row."""


INTERVALS = Intervals()


class Every:
    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._last_s = float("-inf")

    def due(self) -> bool:
        """Return whether the interval has passed since this last said so. The first time it has."""
        now_s = time.monotonic()
        if now_s - self._last_s < self._interval_s:
            return False
        self._last_s = now_s
        return True


def in_force() -> Intervals:
    return cast("Intervals", import_string(settings.JOBS_INTERVALS))
