"""APScheduler's loop, made to outlive whatever happens in it, with one thread a job.

Rules: docs/scheduler.md R11, R17.
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
_SHORTEST_WAIT_S = 0.02  # whatever the rows say: the loop can't turn hot


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

    `shutdown()` waits for threads while it holds locks that they may want, and its time has no limit.
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
            run_tick: runs a job for a tick, in the job's thread; it must not raise.
            skipped: hears of a tick that came while the job's previous run went on.
            store: of the next run times.
            clock: says what time it is, in UTC; ticks are instants of this clock.
            longest_wait_s: between two rounds.
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
                args=[None],  # a stand-in for the tick: JobThread calls `run_tick` instead
                trigger=job.trigger,
                id=job.name,
                executor=job.name,
                max_instances=1,  # runs of a job never overlap
                coalesce=True,  # after a pause a job runs once, not once a missed tick
                misfire_grace_time=None,  # a busy thread pool must not drop a tick unseen
            )

    @property
    def thread_is_alive(self) -> bool:
        return isinstance(self._thread, threading.Thread) and self._thread.is_alive()

    @property
    def job_names(self) -> Collection[str]:
        return self._threads.keys()

    @property
    def age_s(self) -> float:
        """Seconds since the loop last came round; it does so also while it rests."""
        return time.monotonic() - self._last_round_s

    def start(self, *, paused: bool = True) -> None:
        """Start the thread and let it come round at once: APScheduler's sleeps for ever until it is woken."""
        super().start(paused=paused)
        self.wakeup()

    def lead(self) -> None:
        self.state = STATE_RUNNING
        self.wakeup()

    def rest(self) -> None:
        """Hand out no more ticks. Takes no lock: the loop may hold them while it is stuck in the database."""
        self.state = STATE_PAUSED

    def end(self) -> None:
        """Let the loop's thread end when it next comes round; nobody waits for it."""
        self.state = STATE_STOPPED
        self.wakeup()

    def is_due(self, name: str, at: datetime) -> bool:
        """Return whether a tick of the timetable up to `at` has not been handed out yet."""
        job = self.store.lookup_job(name)
        due_at: datetime | None = getattr(job, "next_run_time", None)  # no attribute before the first `align`
        return due_at is not None and due_at <= at

    def run_now(self, name: str, tick: datetime) -> bool:
        """Hand out a run that somebody asked for; False while the job's previous run goes on."""
        try:
            self._threads[name].submit_job(self.store.lookup_job(name), [tick])
        except MaxInstancesReachedError:
            return False
        return True

    def _process_jobs(self) -> float:
        """Do one round, and return how long to wait for the next.

        APScheduler's own round would end the loop's thread on an error of the store, and has no clock to set.
        """
        wait_s: float | None = RETRY_S
        try:
            wait_s = self._round() if self.state == STATE_RUNNING else None
        except DatabaseError as error:
            logger.warning("loop.failed", error=describe(error))
        except Exception:  # the loop's last stand: whatever it was, the other jobs and the next round go on
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
            tick = job._get_run_times(now)[-1]  # noqa: SLF001 - older ticks are for `align` to make up for
            if not self.run_now(job.id, tick):
                self._skipped(job.id, tick)
            job._modify(next_run_time=job.trigger.get_next_fire_time(tick, now))  # noqa: SLF001 - as its own loop
            self.store.update_job(job)
        upcoming = self.store.get_next_run_time()
        return (upcoming - self._clock()).total_seconds() if upcoming else None
