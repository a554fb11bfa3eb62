"""Keeps run results until the database accepts them (docs/scheduler.md, R15)."""

from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime

import structlog
from django.db import Error, InterfaceError, OperationalError, connection

from tradingsite.jobs.models import JobState
from tradingsite.jobs.records.kept_runs import keep
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import ScheduledJob

logger = structlog.get_logger(__name__)

_MOST = 100
_MOST_SKIPPED = 40


class ResultBuffer:
    """Run results waiting to be saved. Thread-safe."""

    def __init__(self, jobs: Mapping[str, ScheduledJob]) -> None:
        self._jobs = jobs
        self._waiting: deque[RunResult] = deque(maxlen=_MOST)
        self._uncertain_claims: deque[tuple[str, datetime, int]] = deque(maxlen=_MOST)
        self._skipped: dict[str, deque[RunResult]] = defaultdict(lambda: deque(maxlen=_MOST_SKIPPED))

    def add(self, result: RunResult) -> None:
        self._waiting.append(result)

    def skipped(self, result: RunResult) -> None:
        """Add a tick that was not run. It is saved together with the next run of its job."""
        self._skipped[result.job_name].append(result)

    def uncertain_claim(self, name: str, tick: datetime, epoch: int) -> None:
        """Add a claim without an answer: its row may say that the job runs, for as long as a day."""
        self._uncertain_claims.append((name, tick, epoch))

    def record(self) -> None:
        """Save the results in their order; keep what the database does not accept now.

        A result that it rejects delays only later results of the same job.
        """
        if connection.errors_occurred:  # a run may have broken the connection
            connection.close()
        held_up: set[str] = set()
        for _ in range(len(self._waiting)):
            try:
                result = self._waiting.popleft()
            except IndexError:  # another thread took it
                return
            if result.job_name in held_up or not self._recorded(result, held_up):
                self._waiting.append(result)
        if not held_up:
            self._clear_uncertain_claims()

    def _clear_uncertain_claims(self) -> None:
        try:
            while self._uncertain_claims:
                name, tick, epoch = self._uncertain_claims[0]
                rows = JobState.objects.filter(job_name=name, last_tick=tick, claim_epoch=epoch)
                rows.update(running_since=None)
                self._uncertain_claims.remove((name, tick, epoch))
        except (Error, IndexError, ValueError) as error:  # no database, or another thread did it
            logger.info("runner.claim_not_cleared", error=type(error).__name__)

    def _recorded(self, result: RunResult, held_up: set[str]) -> bool:
        skipped = list(self._skipped[result.job_name])
        try:
            mine = JobState.objects.record(result, before_it=skipped)
        except Error as error:
            gone = isinstance(error, OperationalError | InterfaceError)
            held_up.update(self._jobs if gone else [result.job_name])
            logger.warning("runner.not_recorded", job=result.job_name, error=type(error).__name__)
            return False
        if not mine:
            logger.warning("runner.superseded", job=result.job_name, epoch=result.epoch)
            return True
        for _ in skipped:
            self._skipped[result.job_name].popleft()
        keep(result, self._jobs[result.job_name].every)
        return True
