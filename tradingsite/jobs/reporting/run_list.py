"""The last runs of one job for its page, put together from several tables.

See docs/scheduler.md, "What a run leaves".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradingsite.jobs.models import JobEvent, JobRun, JobState
from tradingsite.jobs.run_result import outcome_of
from tradingsite.jobs.timetable import ScheduledJob

SHOWN = 50
_EVENT_DELAY = timedelta(seconds=1)
"""The event of a request is written at most this long after the request itself."""


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        outcome: "ok", "failed", "skipped" or "aborted".
        duration_s: None if only the outcome is stored, as for successes of frequent jobs.
        requested_by: the operator who requested it; "" for a scheduled run.
    """

    tick: datetime
    outcome: str
    duration_s: float | None
    requested_by: str
    message: str


def last_runs(job: ScheduledJob, state: JobState | None) -> list[Run]:
    """Return up to `SHOWN` runs, newest first, in two queries.

    Failures, and all runs of rare jobs, are stored in full; of the others only the last 40 outcomes.
    """
    found = {run.tick: run for run in _outcomes(state)}
    found |= {run.tick: run for run in _kept(job.name)}
    newest = sorted(found.values(), key=lambda run: run.tick, reverse=True)[:SHOWN]
    return _with_requesters(job, newest)


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


def _with_requesters(job: ScheduledJob, runs: Sequence[Run]) -> list[Run]:
    """Add who requested a run: a run off the grid belongs to the last request before it."""
    events = JobEvent.objects.filter(job_name=job.name, kind=JobEvent.Kind.RUN_REQUESTED)
    requests = list(events.values_list("at", "by")[:SHOWN])
    return [
        Run(run.tick, run.outcome, run.duration_s, _requester(job, run, requests), run.message)
        for run in runs
    ]


def _requester(job: ScheduledJob, run: Run, requests: Sequence[tuple[datetime, str]]) -> str:
    if job.trigger.floor(run.tick) == run.tick:
        return ""
    first = run.tick - timedelta(seconds=job.hard_limit_s)  # it may have waited for the end of the run before
    last = run.tick + _EVENT_DELAY
    return next((by for at, by in requests if first <= at <= last), "")
