"""The last runs of one job, put together from what is kept of them (docs/scheduler.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradingsite.jobs.models import JobEvent, JobRun, JobState
from tradingsite.jobs.run_result import outcome_of
from tradingsite.jobs.timetable import ScheduledJob

SHOWN = 50
_NOTED_WITHIN = timedelta(seconds=1)
"""The event of a request is written right after the request."""


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        outcome: "ok", "failed", "skipped" or "aborted".
        duration_s: None for those of which the outcome alone is kept: the successes of frequent jobs.
        asked_by: who asked for it; "" for the timetable.
    """

    tick: datetime
    outcome: str
    duration_s: float | None
    asked_by: str
    message: str


def last_runs(job: ScheduledJob, state: JobState | None) -> list[Run]:
    """Return the newest first, at most `SHOWN`; two queries.

    Failures, and all runs of rare jobs, are kept in full; of the others the outcomes of the last 40.
    """
    found = {run.tick: run for run in _outcomes(state)}
    found |= {run.tick: run for run in _kept(job.name)}
    newest = sorted(found.values(), key=lambda run: run.tick, reverse=True)[:SHOWN]
    return _with_people(job, newest)


def _outcomes(state: JobState | None) -> Iterator[Run]:
    for each in state.recent if state else ():
        if each["tick"]:
            yield Run(datetime.fromisoformat(each["tick"]), each["outcome"], None, "", "")


def _kept(name: str) -> Iterator[Run]:
    rows = JobRun.objects.filter(job_id=name).order_by("-run_time")
    for row in rows.values("run_time", "duration", "exception")[:SHOWN]:
        error = row["exception"] or ""
        duration_s = None if row["duration"] is None else float(row["duration"])
        yield Run(row["run_time"], outcome_of(error or None), duration_s, "", error)


def _with_people(job: ScheduledJob, runs: Sequence[Run]) -> list[Run]:
    """Say who asked: a run off the grid is in the name of the last request that was made before it."""
    asked = JobEvent.objects.filter(job_name=job.name, kind=JobEvent.Kind.RUN_REQUESTED)
    requests = list(asked.values_list("at", "by")[:SHOWN])
    return [
        Run(run.tick, run.outcome, run.duration_s, _asked_by(job, run, requests), run.message) for run in runs
    ]


def _asked_by(job: ScheduledJob, run: Run, requests: Sequence[tuple[datetime, str]]) -> str:
    if job.trigger.floor(run.tick) == run.tick:
        return ""
    first = run.tick - timedelta(seconds=job.hard_limit_s)  # it waited for the run before
    last = run.tick + _NOTED_WITHIN
    return next((by for at, by in requests if first <= at <= last), "")
