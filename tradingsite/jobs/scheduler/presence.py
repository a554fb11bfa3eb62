"""Says that this scheduler process is there, and whether it leads."""

import os
import socket
from datetime import timedelta

from tradingsite.jobs.models import SchedulerProcess
from tradingsite.jobs.scheduler.intervals import Every, Intervals


class Presence:
    """This process's row among the schedulers."""

    def __init__(self, intervals: Intervals) -> None:
        self._gone_after = timedelta(seconds=intervals.gone_after_s)
        self._seen = Every(intervals.seen_every_s)
        self._process = SchedulerProcess(host=socket.gethostname(), pid=os.getpid())

    def announce(self, session_pid: int | None, *, leads: bool) -> None:
        """Say in which role this process is there: at once when that is new, else from time to time.

        Args:
            session_pid: the server's process id of its lock session.
            leads: whether it leads; a leader also clears away who is gone.
        """
        role = SchedulerProcess.Role.LEADER if leads else SchedulerProcess.Role.STANDBY
        is_new = (role, session_pid) != (self._process.role, self._process.backend_pid)
        if not self._seen.due() and not is_new:
            return
        self._process.role, self._process.backend_pid = role, session_pid
        SchedulerProcess.objects.seen(self._process)
        if leads:
            SchedulerProcess.objects.prune(self._gone_after)

    def end(self) -> None:
        SchedulerProcess.objects.filter(pk=self._process.pk).delete()
