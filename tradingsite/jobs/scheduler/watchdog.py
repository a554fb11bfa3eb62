"""The thread that ends a process which can no longer be trusted to end itself (docs/scheduler.md R4, R12)."""

import signal
import threading
import time
from typing import Protocol

import structlog

from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.shutdown import end_process

logger = structlog.get_logger(__name__)

FROZEN = 70
"""The exit code of a process whose supervisor or loop has not come round."""
OVER_HARD_LIMIT = 75
"""The exit code of a process in which a job has outrun its hard limit: a thread can't be ended alone."""
_LAST_WORDS_S = 3


class Watched(Protocol):
    """What is looked at. None of it may wait for a lock or for the database."""

    @property
    def silent_s(self) -> float: ...

    @property
    def loop_silent_s(self) -> float: ...

    def over_hard_limit(self) -> list[tuple[str, float]]:
        """Return the jobs that run longer than they ever may, and for how many seconds they have run."""
        ...

    def log_hard_limit(self, name: str) -> None: ...


class Watchdog(threading.Thread):
    """Looks on, whatever the process's role: a standby that is stuck would never take over."""

    def __init__(self, watched: Watched, intervals: Intervals) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._watched = watched
        self._intervals = intervals
        self._ended = False

    def run(self) -> None:
        while not self._ended:
            time.sleep(self._intervals.watch_every_s)
            if code := self.verdict():
                self._bark(code)

    def end(self) -> None:
        """Look no more: the process ends by itself."""
        self._ended = True

    def verdict(self) -> int:
        """Return the code to end the process with, or 0 to let it live."""
        if self._watched.silent_s > self._intervals.frozen_after_s:
            return FROZEN
        if self._watched.loop_silent_s > 1.5 * self._intervals.loop_dead_after_s:
            return FROZEN
        return OVER_HARD_LIMIT if self._watched.over_hard_limit() else 0

    def _bark(self, code: int) -> None:
        signal.alarm(_LAST_WORDS_S)  # what is told may wait for a lock that a stuck thread holds
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
