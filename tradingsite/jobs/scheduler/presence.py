"""Keeps a row that shows that this scheduler process is alive, and whether it leads."""

import os
import socket
from datetime import timedelta

from tradingsite.jobs.models import SchedulerProcess
from tradingsite.jobs.scheduler.intervals import Intervals, IntervalTimer


class Presence:
    """The row of this process in `scheduler_process`."""

    def __init__(self, intervals: Intervals) -> None:
        self._gone_after = timedelta(seconds=intervals.gone_after_s)
        self._seen = IntervalTimer(intervals.seen_every_s)
        self._process = SchedulerProcess(host=socket.gethostname(), pid=os.getpid())

    def announce(self, session_pid: int | None, *, leads: bool) -> None:
        """Update the row: at once when something changed, else once per interval.

        Args:
            session_pid: the backend pid of its lock session.
            leads: whether it leads; the leader also deletes the rows of processes that are gone.
        """
        role = SchedulerProcess.Role.LEADER if leads else SchedulerProcess.Role.STANDBY
        is_new = (role, session_pid) != (self._process.role, self._process.backend_pid)
        if not self._seen.due() and not is_new:
            return
        self._process.role, self._process.backend_pid = role, session_pid
        if leads:
            SchedulerProcess.objects.seen_and_prune(self._process, self._gone_after)
        else:
            SchedulerProcess.objects.seen(self._process)

    def end(self) -> None:
        SchedulerProcess.objects.filter(pk=self._process.pk).delete()
