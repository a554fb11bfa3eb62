"""APScheduler's loop, changed to survive every error, with one thread for each job.

See docs/scheduler.md, R11 and R17.
"""

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import structlog
from apscheduler.executors.base import MaxInstancesReachedError
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from tradingsite.jobs.job_metric import describe
from tradingsite.jobs.scheduler.intervals import INTERVALS
from tradingsite.jobs.scheduler.job_store import CodeJobStore
from tradingsite.jobs.timetable import UNLIMITED, ScheduledJob

logger = structlog.get_logger(__name__)

RETRY_S = 1.0
_SHORTEST_WAIT_S = 0.02  # so that no row can make the loop spin


class JobThread(BasePoolExecutor):  # type: ignore[misc]  # apscheduler has no types
    """One thread for one job, so that a run that hangs does not block other jobs."""

    def __init__(self, run_tick: Callable[[str, datetime], None]) -> None:
        super().__init__(ThreadPoolExecutor(1, thread_name_prefix="job"))
        self._run_tick = run_tick

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        future = self._pool.submit(self._run_tick, job.id, run_times[-1])
        future.add_done_callback(lambda _: self._run_job_success(job.id, []))


class SafeScheduler(BackgroundScheduler):  # type: ignore[misc]  # apscheduler has no types
    """The loop in its daemon thread. It is paused while this process does not lead, and never shut down.

    APScheduler's `shutdown()` waits without a limit for threads, while it holds locks that they may need.
    """

    def __init__(
        self,
        jobs: Collection[ScheduledJob],
        *,
        run_tick: Callable[[str, datetime], None],
        skipped: Callable[[str, datetime], None],
        store: CodeJobStore | None = None,
        clock: Callable[[], datetime] = timezone.now,
        longest_wait_s: float = INTERVALS.longest_wait_s,
    ) -> None:
        """Prepare the loop for `jobs`.

        Args:
            jobs: the timetable.
            run_tick: runs a job for a tick, in the thread of the job; it must not raise.
            skipped: called with a tick that comes while the previous run of the job goes on.
            store: of the next run times.
            clock: the time in UTC; ticks are instants of this clock.
            longest_wait_s: between two turns.
        """
        self.store = store or CodeJobStore()
        self._clock = clock
        self._skipped = skipped
        self._longest_wait_s = longest_wait_s
        self._threads = {job.name: JobThread(run_tick) for job in jobs}
        super().__init__(timezone="UTC", jobstore_retry_interval=RETRY_S, jobstores={"default": self.store})
        self._last_round_s = time.monotonic()
        for job in sorted(jobs, key=lambda job: job.catch_up != UNLIMITED):
            self.add_executor(self._threads[job.name], alias=job.name)
            self.add_job(
                job.run,
                args=[None],  # a placeholder for the tick: JobThread calls `run_tick` instead
                trigger=job.trigger,
                id=job.name,
                executor=job.name,
                max_instances=1,  # runs of a job never overlap
                coalesce=True,  # after a pause a job runs once, not once for each missed tick
                misfire_grace_time=None,  # otherwise a busy pool would drop ticks silently
            )

    @property
    def thread_is_alive(self) -> bool:
        return isinstance(self._thread, threading.Thread) and self._thread.is_alive()

    @property
    def job_names(self) -> Collection[str]:
        return self._threads.keys()

    @property
    def age_s(self) -> float:
        """Seconds since the last turn of the loop, which turns even while paused."""
        return time.monotonic() - self._last_round_s

    def start(self, *, paused: bool = True) -> None:
        """Start the thread and wake it: APScheduler's loop would sleep until the first wake-up."""
        super().start(paused=paused)
        self.wakeup()

    def lead(self) -> None:
        self.state = STATE_RUNNING
        self.wakeup()

    def rest(self) -> None:
        """Start no more runs. Takes no lock: the loop may hold it while it hangs in a query."""
        self.state = STATE_PAUSED

    def end(self) -> None:
        """End the loop's thread at its next turn, without waiting for it."""
        self.state = STATE_STOPPED
        self.wakeup()

    def is_due(self, name: str, at: datetime) -> bool:
        """Return whether a scheduled tick up to `at` has not been started yet."""
        job = self.store.lookup_job(name)
        # The attribute is missing before the first `align`.
        due_at: datetime | None = getattr(job, "next_run_time", None)
        return due_at is not None and due_at <= at

    def run_now(self, name: str, tick: datetime) -> bool:
        """Start a requested run; return False while the previous run of the job goes on."""
        try:
            self._threads[name].submit_job(self.store.lookup_job(name), [tick])
        except MaxInstancesReachedError:
            return False
        return True

    def _process_jobs(self) -> float:
        """Make one turn; return how long to wait for the next.

        APScheduler's own method would end the thread on an error of the job store, and has no replaceable
        clock.
        """
        wait_s: float | None = RETRY_S
        try:
            wait_s = self._round() if self.state == STATE_RUNNING else None
        except DatabaseError as error:
            logger.warning("loop.failed", error=describe(error))
        except Exception:  # other jobs and the next turn must go on after any error
            logger.exception("loop.failed")
        finally:
            connections.close_all()
        self._last_round_s = time.monotonic()
        return (
            self._longest_wait_s
            if wait_s is None
            else min(max(wait_s, _SHORTEST_WAIT_S), self._longest_wait_s)
        )

    def _round(self) -> float | None:
        now = self._clock()
        for job in self.store.get_due_jobs(now):
            tick = job._get_run_times(now)[-1]  # noqa: SLF001 - the last one; `align` catches up on older ticks
            if not self.run_now(job.id, tick):
                self._skipped(job.id, tick)
            job._modify(next_run_time=job.trigger.get_next_fire_time(tick, now))  # noqa: SLF001 - as APScheduler's own loop does
            self.store.update_job(job)
        upcoming = self.store.get_next_run_time()
        return (upcoming - self._clock()).total_seconds() if upcoming else None
