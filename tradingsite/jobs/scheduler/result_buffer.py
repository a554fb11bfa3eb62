"""Keeps run results until the database accepts them (docs/scheduler.md, R15)."""

from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import structlog
from django.db import Error, InterfaceError, OperationalError, connection

from tradingsite.jobs.models import JobState
from tradingsite.jobs.records.kept_runs import keep
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import ScheduledJob

logger = structlog.get_logger(__name__)

_MAX_WAITING = 100
MAX_SKIPPED_PER_JOB = 40


class ResultBuffer:
    """Run results waiting to be saved. Thread-safe."""

    def __init__(self, jobs: Mapping[str, ScheduledJob]) -> None:
        self._jobs = jobs
        self._waiting: deque[RunResult] = deque(maxlen=_MAX_WAITING)
        self._uncertain_claims: deque[tuple[str, datetime, int]] = deque(maxlen=_MAX_WAITING)
        self._skipped: dict[str, deque[RunResult]] = defaultdict(lambda: deque(maxlen=MAX_SKIPPED_PER_JOB))

    def add(self, result: RunResult) -> None:
        self._waiting.append(result)

    def add_skipped(self, result: RunResult) -> None:
        """Add a tick that was not run. It is saved together with the next run of its job."""
        self._skipped[result.job_name].append(result)

    def add_uncertain_claim(self, name: str, tick: datetime, epoch: int) -> None:
        """Add a claim that the database may or may not have accepted: its row may show the job as running."""
        self._uncertain_claims.append((name, tick, epoch))

    def record(self) -> None:
        """Save the results in their order; keep what the database does not accept now.

        If it rejects a result, only later results of the same job wait.
        """
        if connection.errors_occurred:  # a run may have broken the connection
            connection.close()
        blocked_jobs: set[str] = set()
        for _ in range(len(self._waiting)):
            try:
                result = self._waiting.popleft()
            except IndexError:  # another thread took it
                return
            if result.job_name in blocked_jobs or not self._try_record(result, blocked_jobs):
                self._waiting.append(result)
        if not blocked_jobs:
            self._clear_uncertain_claims()

    def _clear_uncertain_claims(self) -> None:
        try:
            while self._uncertain_claims:
                name, tick, epoch = self._uncertain_claims[0]
                rows = JobState.objects.filter(job_name=name, last_tick=tick, claim_epoch=epoch)
                rows.update(running_since=None)
                self._uncertain_claims.remove((name, tick, epoch))
        except (Error, IndexError, ValueError) as error:  # no database, or another thread cleared it
            logger.info("runner.claim_not_cleared", error=type(error).__name__)

    def _try_record(self, result: RunResult, blocked_jobs: set[str]) -> bool:
        skipped = list(self._skipped[result.job_name])
        try:
            claim_is_current = JobState.objects.record(result, preceding=skipped)
        except Error as error:
            connection_lost = isinstance(error, OperationalError | InterfaceError)
            blocked_jobs.update(self._jobs if connection_lost else [result.job_name])
            logger.warning("runner.not_recorded", job=result.job_name, error=type(error).__name__)
            return False
        if not claim_is_current:
            logger.warning("runner.superseded", job=result.job_name, epoch=result.epoch)
            return True
        for saved in skipped:
            with suppress(ValueError):  # another thread saved it too, or a full deque dropped it
                self._skipped[result.job_name].remove(saved)
        keep(result, self._jobs[result.job_name].every)
        return True
