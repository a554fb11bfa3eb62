"""Outcomes on their way into the database (R15)."""

from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime

import structlog
from django.db import Error, InterfaceError, OperationalError, connection

from tradingsite.jobs.models import JobState
from tradingsite.jobs.records.kept_runs import keep
from tradingsite.jobs.run_result import Outcome
from tradingsite.jobs.schedule import ScheduledJob

logger = structlog.get_logger(__name__)

_MOST = 100
_MOST_SKIPPED = 40


class Unrecorded:
    """What has ended and is not recorded yet. Any thread may add and record."""

    def __init__(self, jobs: Mapping[str, ScheduledJob]) -> None:
        self._jobs = jobs
        self._waiting: deque[Outcome] = deque(maxlen=_MOST)
        self._perhaps_claimed: deque[tuple[str, datetime, int]] = deque(maxlen=_MOST)
        self._skipped: dict[str, deque[Outcome]] = defaultdict(lambda: deque(maxlen=_MOST_SKIPPED))

    def add(self, outcome: Outcome) -> None:
        """Take a run that has ended."""
        self._waiting.append(outcome)

    def skipped(self, outcome: Outcome) -> None:
        """Take a tick that was not run. It is shown with the next run of its job, at no cost of its own."""
        self._skipped[outcome.job_name].append(outcome)

    def perhaps_claimed(self, name: str, tick: datetime, epoch: int) -> None:
        """Take a claim whose answer got lost: its row might say for a day that the job runs."""
        self._perhaps_claimed.append((name, tick, epoch))

    def record(self) -> None:
        """Record what waits, in its order. What the database does not take now is kept for the next time.

        A row that it refuses holds up the later ones of its own job only.
        """
        if connection.errors_occurred:  # the run may have broken it
            connection.close()
        held_up: set[str] = set()
        for _ in range(len(self._waiting)):
            try:
                outcome = self._waiting.popleft()
            except IndexError:  # another thread was quicker
                return
            if outcome.job_name in held_up or not self._recorded(outcome, held_up):
                self._waiting.append(outcome)
        if not held_up:
            self._end_what_never_began()

    def _end_what_never_began(self) -> None:
        try:
            while self._perhaps_claimed:
                name, tick, epoch = self._perhaps_claimed[0]
                rows = JobState.objects.filter(job_name=name, last_tick=tick, claim_epoch=epoch)
                rows.update(running_since=None)
                self._perhaps_claimed.remove((name, tick, epoch))
        except (Error, IndexError, ValueError) as error:  # away; or another thread was quicker
            logger.info("runner.claim_not_cleared", error=type(error).__name__)

    def _recorded(self, outcome: Outcome, held_up: set[str]) -> bool:
        skipped = list(self._skipped[outcome.job_name])
        try:
            mine = JobState.objects.record(outcome, before_it=skipped)
        except Error as error:
            gone = isinstance(error, OperationalError | InterfaceError)
            held_up.update(self._jobs if gone else [outcome.job_name])
            logger.warning("runner.not_recorded", job=outcome.job_name, error=type(error).__name__)
            return False
        if not mine:
            logger.warning("runner.superseded", job=outcome.job_name, epoch=outcome.epoch)
            return True
        for _ in skipped:
            self._skipped[outcome.job_name].popleft()
        keep(outcome, self._jobs[outcome.job_name].every)
        return True
