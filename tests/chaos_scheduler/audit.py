"""Finds violations in the runs that the jobs recorded. No database, no processes."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

GRID = datetime(2020, 1, 1, tzinfo=UTC)
STARTED_LATE_BY = timedelta(seconds=1.5)
"""A leader that is killed so shortly after a tick may not have begun it."""
READY_AFTER = timedelta(seconds=1)
"""A new leader owns the row before it has read the timetable."""


@dataclass(frozen=True)
class Run:
    """One run, as the job itself recorded it."""

    job: str
    pid: int
    tick: datetime
    at: datetime


@dataclass(frozen=True)
class Failover:
    """A leader's death, and when another led and first ran something."""

    killed_at: datetime
    leads_at: datetime
    runs_at: datetime

    @property
    def leads_after_s(self) -> float:
        return (self.leads_at - self.killed_at).total_seconds()

    @property
    def runs_after_s(self) -> float:
        return (self.runs_at - self.killed_at).total_seconds()

    def covers(self, tick: datetime) -> bool:
        """Return whether no leader was there for `tick`."""
        return self.killed_at - STARTED_LATE_BY <= tick <= self.leads_at + READY_AFTER


def grid(every: timedelta, phase_s: float, begin: datetime, end: datetime) -> list[datetime]:
    """Return the ticks from `begin` to `end`."""
    first = GRID + timedelta(seconds=phase_s)
    number = math.ceil((begin - first) / every)
    ticks = []
    while (tick := first + number * every) <= end:
        ticks.append(tick)
        number += 1
    return ticks


def duplicates(runs: Iterable[Run]) -> list[str]:
    """Return every tick that was run more than once."""
    counted = Counter((run.job, run.tick) for run in runs)
    return [
        f"{job} {tick:%H:%M:%S.%f} ran {times} times" for (job, tick), times in counted.items() if times > 1
    ]


def off_the_grid(runs: Iterable[Run], due: Mapping[str, Sequence[datetime]]) -> list[str]:
    """Return every run for an instant that is no tick of its job."""
    return [f"{run.job} ran for {run.tick:%H:%M:%S.%f}" for run in runs if run.tick not in set(due[run.job])]


def missed(
    runs: Sequence[Run], due: Mapping[str, Sequence[datetime]], failovers: Sequence[Failover]
) -> tuple[int, list[str]]:
    """Return how many ticks fell into a failover, and in words those that should not be missing.

    Of each job one tick a failover may be lost, and one more for each whole interval without a leader;
    while a leader lives, none.
    """
    forgiven, wrong = 0, []
    for job, ticks in due.items():
        done = {run.tick for run in runs if run.job == job}
        left = [1 + int(each.leads_after_s / (ticks[1] - ticks[0]).total_seconds()) for each in failovers]
        for tick in ticks:
            if tick in done:
                continue
            number = next((i for i, each in enumerate(failovers) if each.covers(tick) and left[i]), None)
            if number is None:
                wrong.append(f"{job} {tick:%H:%M:%S.%f} was not run; {_before(tick, failovers)}")
            else:
                left[number] -= 1
                forgiven += 1
    return forgiven, wrong


def _before(tick: datetime, failovers: Sequence[Failover]) -> str:
    killed = [each for each in failovers if each.killed_at - STARTED_LATE_BY <= tick]
    if not killed:
        return "no leader had been killed"
    last = killed[-1]
    since_s = (tick - last.killed_at).total_seconds()
    return f"{since_s:.1f} s after a kill, whose next leader led after {last.leads_after_s:.1f} s"


def run_twice(runs: Iterable[Run], every: Mapping[str, timedelta]) -> int:
    """Count, for the plain set-up, runs that follow another of their job within a third of its interval."""
    last: dict[str, datetime] = {}
    count = 0
    for run in sorted(runs, key=lambda each: each.at):
        if run.job in last and run.at - last[run.job] < every[run.job] / 3:
            count += 1
        last[run.job] = run.at
    return count


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
