"""What a scheduler does besides leading: says that it is there, hands out requested runs, saves the roll-up.

None of it is worth a leadership: what fails is logged and tried again with the next turn.
"""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.db import Error as DatabaseError

from tradingsite.jobs.control import requested_runs
from tradingsite.jobs.models import SchedulerProcess
from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.scheduler.loop import SafeScheduler

logger = structlog.get_logger(__name__)


class Interval:
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


class Presence:
    """This process's row among the schedulers."""

    def __init__(self, intervals: Intervals) -> None:
        self._gone_after = timedelta(seconds=intervals.gone_after_s)
        self._time = Interval(intervals.seen_every_s)
        self._process = SchedulerProcess(host=socket.gethostname(), pid=os.getpid())

    def announce(self, session_pid: int | None, *, leads: bool) -> None:
        """Say in which role this process is there: at once when that is new, else from time to time.

        Args:
            session_pid: the server's process id of its lock session.
            leads: whether it leads; a leader also clears away who is gone.
        """
        role = SchedulerProcess.Role.LEADER if leads else SchedulerProcess.Role.STANDBY
        is_new = (role, session_pid) != (self._process.role, self._process.backend_pid)
        if not self._time.due() and not is_new:
            return
        self._process.role, self._process.backend_pid = role, session_pid
        SchedulerProcess.objects.seen(self._process)
        if leads:
            SchedulerProcess.objects.prune(self._gone_after)

    def end(self) -> None:
        SchedulerProcess.objects.filter(pk=self._process.pk).delete()


def hand_out_requests(loop: SafeScheduler) -> None:
    """Begin the requested runs. One whose job still runs stays requested."""
    for request in requested_runs(loop.job_names):
        if loop.run_now(request.job_name, request.tick):
            logger.info("scheduler.run_requested", job=request.job_name)


def run_until_failure(*chores: Callable[[], None]) -> None:
    """Do them in this order up to the first that fails: when one waits in vain, the next would too."""
    for chore in chores:
        try:
            chore()
        except DatabaseError as error:
            logger.warning("scheduler.chore_failed", error=type(error).__name__)
            return
