"""The thread that ends a process which can no longer be trusted to end itself (R4, R12)."""

import signal
import threading
import time
from typing import Protocol

import structlog

from tradingsite.jobs.scheduler.intervals import Limits
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
    def silent_s(self) -> float:
        """Seconds since the supervisor last came round."""
        ...

    @property
    def loop_silent_s(self) -> float:
        """Seconds since the loop last came round."""
        ...

    def over_hard_limit(self) -> list[tuple[str, float]]:
        """Return the jobs that run longer than they ever may, and for how many seconds they have run."""
        ...

    def tell_hard_limit(self, name: str) -> None:
        """Log the failure of such a job."""
        ...


class Watchdog(threading.Thread):
    """Looks on, whatever the process's role: a standby that is stuck would never take over."""

    def __init__(self, watched: Watched, limits: Limits) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._watched = watched
        self._limits = limits
        self._ended = False

    def run(self) -> None:
        while not self._ended:
            time.sleep(self._limits.watch_every_s)
            if code := self.verdict():
                self._bark(code)

    def end(self) -> None:
        """Look no more: the process ends by itself."""
        self._ended = True

    def verdict(self) -> int:
        """Return the code to end the process with, or 0 to let it live."""
        if self._watched.silent_s > self._limits.frozen_after_s:
            return FROZEN
        if self._watched.loop_silent_s > 1.5 * self._limits.loop_dead_after_s:
            return FROZEN
        return OVER_HARD_LIMIT if self._watched.over_hard_limit() else 0

    def _bark(self, code: int) -> None:
        signal.alarm(_LAST_WORDS_S)  # what is told may wait for a lock that a stuck thread holds
        for name, ran_s in self._watched.over_hard_limit():
            self._watched.tell_hard_limit(name)
            logger.critical("watchdog.over_hard_limit", job=name, ran_s=round(ran_s, 1))
        logger.critical(
            "watchdog.ends_process",
            code=code,
            silent_s=round(self._watched.silent_s, 1),
            loop_silent_s=round(self._watched.loop_silent_s, 1),
        )
        end_process(code)
