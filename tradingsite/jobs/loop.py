"""APScheduler's loop, made to outlive whatever happens in it (R17), with one thread a job (R11)."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED
from django.db import connections

from tradingsite.jobs.schedule import ScheduledJob
from tradingsite.jobs.store import CodeJobStore

logger = structlog.get_logger(__name__)

RETRY_S = 1.0
_SHORTEST_WAIT_S = 0.02  # whatever the rows say: the loop can't turn hot
_LONGEST_WAIT_S = 5.0  # an edited row or a changed clock is noticed


class JobThread(BasePoolExecutor):  # type: ignore[misc]  # apscheduler has no types
    """One thread that runs one job: a run that hangs can't take the thread of another job."""

    def __init__(self, run_tick: Callable[[str, datetime], None]) -> None:
        super().__init__(ThreadPoolExecutor(1, thread_name_prefix="job"))
        self._run_tick = run_tick

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        future = self._pool.submit(self._run_tick, job.id, run_times[-1])
        future.add_done_callback(lambda _: self._run_job_success(job.id, []))


class SafeScheduler(BackgroundScheduler):  # type: ignore[misc]  # apscheduler has no types
    """The loop in its daemon thread. It is paused while this process does not lead, and never shut down.

    `shutdown()` waits for threads while it holds locks that they may want, and its time has no limit (R20).
    """

    def __init__(
        self,
        jobs: Iterable[ScheduledJob],
        *,
        run_tick: Callable[[str, datetime], None],
        skipped: Callable[[str, datetime], None],
        store: CodeJobStore | None = None,
    ) -> None:
        """Prepare the loop for `jobs`.

        Args:
            jobs: the timetable.
            run_tick: runs a job for a tick, in the job's thread; it must not raise.
            skipped: hears of a tick that came while the job's previous run went on.
            store: another store, for tests.
        """
        self.store = store or CodeJobStore()
        super().__init__(timezone="UTC", jobstore_retry_interval=RETRY_S, jobstores={"default": self.store})
        self._last_round_s = time.monotonic()
        for job in jobs:
            self.add_executor(JobThread(run_tick), alias=job.name)
            self.add_job(
                job.run,
                args=[None],  # a stand-in for the tick: JobThread calls `run_tick` instead
                trigger=job.trigger,
                id=job.name,
                executor=job.name,
                max_instances=1,  # runs of a job never overlap
                coalesce=True,  # after a pause a job runs once, not once a missed tick
                misfire_grace_time=None,  # a busy thread pool must not drop a tick unseen
            )
        self.add_listener(lambda event: self._tell(event, skipped), EVENT_JOB_MAX_INSTANCES)

    @property
    def thread_is_alive(self) -> bool:
        return isinstance(self._thread, threading.Thread) and self._thread.is_alive()

    @property
    def age_s(self) -> float:
        """Seconds since the loop last came round; it does so every five seconds, also while paused."""
        return time.monotonic() - self._last_round_s

    def lead(self) -> None:
        """Begin to hand out ticks."""
        self.state = STATE_RUNNING
        self.wakeup()

    def rest(self) -> None:
        """Hand out no more ticks. Takes no lock: the loop may hold them while it is stuck in the database."""
        self.state = STATE_PAUSED

    def end(self) -> None:
        """Let the loop's thread end when it next comes round; nobody waits for it."""
        self.state = STATE_STOPPED
        self.wakeup()

    def _process_jobs(self) -> float:
        if self.state == STATE_STOPPED:
            return 0.0  # APScheduler's loop comes here once more after its end
        wait_s: float | None = RETRY_S
        try:
            wait_s = super()._process_jobs()
        except Exception:  # the loop's last stand: whatever it was, the other jobs and the next round go on
            logger.exception("loop.failed")
        finally:
            connections.close_all()
        self._last_round_s = time.monotonic()
        return _LONGEST_WAIT_S if wait_s is None else min(max(wait_s, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)

    @staticmethod
    def _tell(event: JobSubmissionEvent, skipped: Callable[[str, datetime], None]) -> None:
        skipped(event.job_id, event.scheduled_run_times[-1])
