"""Runs ticks in the threads of the jobs, from the claim to the saved result.

See docs/scheduler.md, R7, R12 and R15.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import Error, connections
from django.utils import timezone

from tradingsite.clients.deadline import overall_left_s
from tradingsite.jobs import fence
from tradingsite.jobs.job_metric import describe, emit
from tradingsite.jobs.models import JobState
from tradingsite.jobs.records import rollup
from tradingsite.jobs.run_result import REFUSED, SKIPPED, RunResult
from tradingsite.jobs.scheduler import quarantine
from tradingsite.jobs.scheduler.claim import Claim, claim, is_current
from tradingsite.jobs.scheduler.result_buffer import ResultBuffer
from tradingsite.jobs.scheduler.run_job import execute
from tradingsite.jobs.timetable import ScheduledJob
from tradingsite.orders.execution.submission import POST_WITHIN_S

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Run:
    job: ScheduledJob
    tick: datetime
    began_s: float = field(default_factory=time.monotonic)
    overrun_noted: bool = False

    @property
    def ran_s(self) -> float:
        return time.monotonic() - self.began_s


class Runner:
    """Shared by all job threads, the supervisor and the watchdog.

    Args:
        jobs: by name.
        may_start: whether this process still leads; called in the thread of the job, right before each run
            and again before each order is sent.
        epoch: of the present term of this process; None while it does not lead.
        clock: of the timetable, for lateness.
    """

    def __init__(
        self,
        jobs: Mapping[str, ScheduledJob],
        may_start: Callable[[], bool],
        *,
        epoch: Callable[[], int | None],
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._jobs = jobs
        self._may_start = may_start
        self._epoch = epoch
        self._clock = clock
        self._closed = False
        self._running: dict[str, _Run] = {}
        self._changed = threading.Condition()
        self._results = ResultBuffer(jobs)
        self._paused_logged: set[str] = set()

    @property
    def running(self) -> frozenset[str]:
        with self._changed:
            return frozenset(self._running)

    def run_tick(self, name: str, tick: datetime) -> None:
        """Claim a tick of a job, run it and save its result. Never raises."""
        if not self._enter(name, tick):
            self.skip(name, tick, "the scheduler is stopping")
            return
        try:
            self._run(self._jobs[name], tick)
        except Exception:  # the thread pool above this would swallow the error
            logger.exception("runner.failed", job=name)
        finally:
            connections.close_all()
            self._leave(name)

    def skip(self, name: str, tick: datetime, reason: str = "its previous run has not ended") -> None:
        """Log the metric of a tick that is not run, so that the counts in the log are complete."""
        self._record_not_run(RunResult(name, tick, duration_ms=0, error=f"{SKIPPED}: {reason}"))

    def flush(self) -> None:
        """Save results, and note runs close to their hard limit. Called by the supervisor of the leader."""
        self._results.record()
        for run in list(self._running.copy().values()):
            if not run.overrun_noted and run.ran_s >= run.job.nears_limit_s:
                try:
                    quarantine.note_overrun(run.job, run.ran_s)
                    run.overrun_noted = True
                except Error as error:
                    logger.warning("runner.overrun_not_noted", job=run.job.name, error=type(error).__name__)

    def close_abandoned(self) -> None:
        """Record as aborted every run whose process has died. Called by a new leader."""
        for state in JobState.objects.left_running(by_others_than=self.running):
            if job := self._jobs.get(state.job_name):
                aborted = quarantine.close(state, job)
                if aborted:
                    emit(aborted)

    def over_hard_limit(self) -> list[tuple[str, float]]:
        """Return the jobs over their hard limit, and for how many seconds they have run. Takes no lock."""
        runs = self._running.copy()
        return [(name, run.ran_s) for name, run in runs.items() if run.ran_s > run.job.hard_limit_s]

    def log_hard_limit(self, name: str) -> None:
        """Log the failure of a job over its hard limit. Takes no lock, makes no query."""
        run = self._running.get(name)
        if run is not None:
            limit = f"hard limit exceeded: still running, limit {run.job.hard_limit_s:g} s"
            emit(RunResult(name, run.tick, duration_ms=round(run.ran_s * 1000, 2), error=limit))

    def close(self) -> None:
        """Start no more runs."""
        with self._changed:
            self._closed = True

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no job runs, at most `timeout_s` seconds; return whether none does."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout_s)

    def _run(self, job: ScheduledJob, tick: datetime) -> None:
        epoch = self._epoch()
        if epoch is None or not self._may_start():
            self.skip(job.name, tick, "another scheduler may lead")
            return
        claimed = self._claimed(job, tick, epoch)
        if claimed is None:
            return
        late_ms = max(round((self._clock() - tick) / timedelta(milliseconds=1), 2), 0.0)
        with fence.guarded_by(lambda: self._may_post(epoch)):
            result, _ = execute(job, tick, epoch=epoch, lateness_ms=late_ms)
        rollup.count(result)
        self._results.add(result)
        self._results.record()
        if claimed.on_trial and result.success:
            quarantine.lift(job.name)

    def _claimed(self, job: ScheduledJob, tick: datetime, epoch: int) -> Claim | None:
        """Return the claim, or None after recording why there is none."""
        try:
            found = claim(job, tick, epoch)
        except Error as error:  # rather no run than one without a valid claim
            why = f"{REFUSED}: not claimed, {describe(error)}"[:500]
            self._record_not_run(RunResult(job.name, tick, 0, error=why))
            self._results.add_uncertain_claim(job.name, tick, epoch)
            return None
        if isinstance(found, Claim):
            self._paused_logged.discard(job.name)
            return found
        # Log a pause once, not at every tick, since it may last for days.
        if not (found.paused and job.name in self._paused_logged):
            self._record_not_run(RunResult(job.name, tick, 0, error=f"{REFUSED}: {found.why}"[:500]))
        if found.paused:
            self._paused_logged.add(job.name)
        return None

    def _may_post(self, epoch: int) -> bool:
        """Check lock and database, and that an order sent now would have time for an answer."""
        return overall_left_s() >= POST_WITHIN_S and self._may_start() and is_current(epoch)

    def _record_not_run(self, result: RunResult) -> None:
        emit(result)
        rollup.count(result)
        self._results.add_skipped(result)

    def _enter(self, name: str, tick: datetime) -> bool:
        with self._changed:
            if self._closed:
                return False
            self._running[name] = _Run(self._jobs[name], tick)
            return True

    def _leave(self, name: str) -> None:
        with self._changed:
            self._running.pop(name, None)
            self._changed.notify_all()
