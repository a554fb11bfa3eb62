"""The watchdog thread: ends a process that hangs and cannot end itself (docs/scheduler.md, R4 and R12)."""

import signal
import threading
import time
from typing import Protocol

import structlog

from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.shutdown import end_process

logger = structlog.get_logger(__name__)

FROZEN = 70
"""The exit code of a process whose supervisor or loop hangs."""
OVER_HARD_LIMIT = 75
"""The exit code of a process with a job over its hard limit: a thread cannot be ended alone."""
_FLUSH_S = 3


class Watched(Protocol):
    """What the watchdog watches. No member may wait for a lock or for the database."""

    @property
    def silent_s(self) -> float: ...

    @property
    def loop_silent_s(self) -> float: ...

    def over_hard_limit(self) -> list[tuple[str, float]]:
        """Return the jobs over their hard limit, and for how many seconds they have run."""
        ...

    def log_hard_limit(self, name: str) -> None: ...


class Watchdog(threading.Thread):
    """Watches leaders and standbys alike: a standby that hangs would never take over."""

    def __init__(self, watched: Watched, intervals: Intervals) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._watched = watched
        self._intervals = intervals
        self._ended = False

    def run(self) -> None:
        while not self._ended:
            time.sleep(self._intervals.watch_every_s)
            if code := self.verdict():
                self._end_with(code)

    def end(self) -> None:
        """Stop watching: the process ends by itself."""
        self._ended = True

    def verdict(self) -> int:
        """Return the exit code with which to end the process; 0 if all is well."""
        if self._watched.silent_s > self._intervals.frozen_after_s:
            return FROZEN
        if self._watched.loop_silent_s > 1.5 * self._intervals.loop_dead_after_s:
            return FROZEN
        return OVER_HARD_LIMIT if self._watched.over_hard_limit() else 0

    def _end_with(self, code: int) -> None:
        signal.alarm(_FLUSH_S)  # logging may wait for a lock that a hanging thread holds
        for name, ran_s in self._watched.over_hard_limit():
            self._watched.log_hard_limit(name)
            logger.critical("watchdog.over_hard_limit", job=name, ran_s=round(ran_s, 1))
        logger.critical(
            "watchdog.ends_process",
            code=code,
            silent_s=round(self._watched.silent_s, 1),
            loop_silent_s=round(self._watched.loop_silent_s, 1),
        )
        end_process(code)
