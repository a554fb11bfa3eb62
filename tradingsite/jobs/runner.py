"""Runs ticks in the jobs' threads, and remembers what could not be recorded."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from django.db import Error, connections

from tradingsite.jobs import fence
from tradingsite.jobs.history import keep
from tradingsite.jobs.metric import emit
from tradingsite.jobs.models import JobState
from tradingsite.jobs.outcome import Outcome
from tradingsite.jobs.run import perform
from tradingsite.jobs.schedule import ScheduledJob

logger = structlog.get_logger(__name__)

_MOST_UNRECORDED = 100


class Runner:
    """Shared by all job threads and the supervisor."""

    def __init__(self, jobs: Mapping[str, ScheduledJob], may_start: Callable[[], bool]) -> None:
        """Take the timetable.

        Args:
            jobs: by name.
            may_start: asked in the job's thread, right before each run and again before each order is sent:
                does this process still lead?
        """
        self._jobs = jobs
        self._may_start = may_start
        self._closed = False
        self._running: set[str] = set()
        self._changed = threading.Condition()
        self._unrecorded: deque[Outcome] = deque(maxlen=_MOST_UNRECORDED)

    @property
    def running(self) -> frozenset[str]:
        """The names of the jobs that run now in this process."""
        with self._changed:
            return frozenset(self._running)

    def run_tick(self, name: str, tick: datetime) -> None:
        """Run a job for a tick and record how it ended. Raises nothing."""
        if not self._enter(name):
            self.skip(name, tick, "the scheduler is stopping")
            return
        try:
            if self._may_start():
                with fence.guarded_by(self._may_start):
                    self._unrecorded.append(perform(self._jobs[name], tick))
                self.flush()
            else:
                self.skip(name, tick, "another scheduler may lead")
        except Exception:  # nobody is above this but the thread pool, which would keep it to itself
            logger.exception("runner.failed", job=name)
        finally:
            connections.close_all()
            self._leave(name)

    @staticmethod
    def skip(name: str, tick: datetime, reason: str = "its previous run has not ended") -> None:
        """Log the metric of a tick that was due and is not run, so that the log's counts stay complete."""
        emit(Outcome(name, tick, duration_ms=0, error=f"skipped: {reason}"))

    def flush(self) -> None:
        """Record what has ended. What the database does not take now is kept for the next time."""
        while True:
            try:
                outcome = self._unrecorded.popleft()
            except IndexError:
                return
            try:
                JobState.objects.record(outcome)
            except Error as error:
                self._unrecorded.appendleft(outcome)
                logger.warning("runner.not_recorded", job=outcome.job_name, error=type(error).__name__)
                return
            keep(outcome, self._jobs[outcome.job_name].every)

    def close_abandoned(self) -> None:
        """Give every run that its process did not outlive its one metric. Called by a new leader."""
        for state in JobState.objects.left_running(by_others_than=self.running):
            if state.job_name in self._jobs:
                outcome = Outcome(
                    state.job_name, state.last_tick, 0, error="aborted: its scheduler ended first"
                )
                emit(outcome)
                JobState.objects.record(outcome)

    def close(self) -> None:
        """Begin no more runs."""
        with self._changed:
            self._closed = True

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Return whether no job runs, after `timeout_s` seconds at most."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout_s)

    def _enter(self, name: str) -> bool:
        with self._changed:
            if self._closed:
                return False
            self._running.add(name)
            return True

    def _leave(self, name: str) -> None:
        with self._changed:
            self._running.discard(name)
            self._changed.notify_all()
