"""The scheduler's periods and time limits. Process tests set shorter ones with `settings.JOBS_INTERVALS`."""

import time
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Intervals:
    """The scheduler's periods and limits, in seconds."""

    poll_s: float = 1.0
    """How often the lock is tried or verified, and requested runs are looked for."""
    beat_every_s: float = 4.0
    seen_every_s: float = 5.0
    """How often a process, leader or standby, updates its row."""
    gone_after_s: float = 20.0
    """The row of a process that has not done so for this long is deleted."""
    flush_every_s: float = 60.0
    """How often statistics are saved; a crash loses at most this much of them."""
    frozen_after_s: float = 15.0
    """A supervisor that has not turned for this long ends its process; a standby ends the session of a leader
    without a heartbeat for this long."""
    loop_dead_after_s: float = 30.0
    """A loop that has not turned for this long gets no heartbeat; after 1.5 times that its process ends."""
    longest_wait_s: float = 5.0
    """The loop turns at least this often, even while paused, to notice changed rows and clocks."""
    venue_stats_every_s: float = 5.0
    """How often the leader saves the statistics of its calls to the exchange."""
    health_look_every_s: float = 15.0
    """How often the leader records the health of all components."""
    watch_every_s: float = 0.5
    retry_after_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Waits after the first, the second and all further failures in a row."""


INTERVALS = Intervals()


class IntervalTimer:
    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._last_s = float("-inf")

    def due(self) -> bool:
        """Return True at most once per interval, and at the first call."""
        now_s = time.monotonic()
        if now_s - self._last_s < self._interval_s:
            return False
        self._last_s = now_s
        return True


def in_force() -> Intervals:
    return cast("Intervals", import_string(settings.JOBS_INTERVALS))
