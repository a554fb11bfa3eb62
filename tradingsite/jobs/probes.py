"""The health probe `scheduler`: is a scheduler alive, and is every job on time (docs/scheduler.md, R23)?"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop

from healthcheck.report import Finding, Status
from healthcheck.templatetags.moments import moment_text
from tradingsite.jobs.reporting.status import HEARTBEAT_LIMIT, LOOP_LIMIT, JobStatus, SchedulerStatus, read
from tradingsite.jobs.timetable import registered


def scheduler() -> Finding:
    """Judge from the database alone, so that every process gives the same answer."""
    status = read()
    return _down(status) or _bad(status) or _good(status)


def _down(status: SchedulerStatus) -> Finding | None:
    leader, age = status.leader, status.heartbeat_age
    if leader is None or age is None:
        return Finding("unhealthy", gettext_noop("no scheduler has ever run"))
    if not status.alive:
        text = gettext_noop("the scheduler on %(host)s was last alive %(age_s)s s ago, limit %(limit_s)s s")
        return Finding(
            "unhealthy", text, host=leader.holder, age_s=_seconds(age), limit_s=_seconds(HEARTBEAT_LIMIT)
        )
    if status.stuck and status.loop_lag is not None:
        text = gettext_noop("the scheduler's loop has not turned for %(lag_s)s s, limit %(limit_s)s s")
        return Finding("unhealthy", text, lag_s=_seconds(status.loop_lag), limit_s=_seconds(LOOP_LIMIT))
    return None


_BAD = {
    JobStatus.State.QUARANTINED: gettext_noop("quarantined: %(jobs)s"),
    JobStatus.State.OVERRUN: gettext_noop("overrun: %(jobs)s"),
    JobStatus.State.LATE: gettext_noop("late: %(jobs)s"),
    JobStatus.State.FAILING: gettext_noop("failing: %(jobs)s"),
    JobStatus.State.STALE: gettext_noop("stale: %(jobs)s"),
}
_NOTED = {
    JobStatus.State.PAUSED: gettext_noop("on time; paused: %(jobs)s; %(host)s leads since %(since)s UTC"),
    JobStatus.State.FAILED: gettext_noop("on time; failed: %(jobs)s; %(host)s leads since %(since)s UTC"),
}


def _bad(status: SchedulerStatus) -> Finding | None:
    bad = [each for each in status.jobs if each.state in _BAD]
    if not bad:
        return None
    worst: Status = "unhealthy" if any(each.look == "unhealthy" for each in bad) else "warning"
    found = _by_state(bad)
    if len(found) == 1:
        ((state, jobs),) = found.items()
        return Finding(worst, _BAD[state], jobs=jobs)
    return Finding(worst, gettext_noop("several problems: %(troubles)s"), troubles=_listed(found))


def _good(status: SchedulerStatus) -> Finding:
    leader = status.leader
    since = moment_text(leader.acquired_at) if leader else ""
    facts = {"host": leader.holder if leader else "", "since": since}
    found = _by_state([each for each in status.jobs if each.state in _NOTED])
    if not found:
        text = gettext_noop("all %(count)s jobs are on time; %(host)s leads since %(since)s UTC")
        return Finding("healthy", text, count=len(registered()), **facts)
    if len(found) == 1:
        ((state, jobs),) = found.items()
        return Finding("healthy", _NOTED[state], jobs=jobs, **facts)
    text = gettext_noop("on time; %(notes)s; %(host)s leads since %(since)s UTC")
    return Finding("healthy", text, notes=_listed(found), **facts)


def _by_state(jobs: Iterable[JobStatus]) -> dict[JobStatus.State, str]:
    """Return the names of the jobs in each state, the worst state first."""
    named: dict[JobStatus.State, list[str]] = {state: [] for state in JobStatus.State}
    for each in jobs:
        named[each.state].append(_named(each))
    return {state: ", ".join(names) for state, names in named.items() if names}


def _listed(found: Mapping[JobStatus.State, str]) -> str:
    return "; ".join(f"{state.value}: {jobs}" for state, jobs in found.items())


def _named(each: JobStatus) -> str:
    match each.state:
        case JobStatus.State.QUARANTINED | JobStatus.State.PAUSED:
            return f"{each.job.name} ({each.why_paused})"
        case JobStatus.State.OVERRUN:
            return f"{each.job.name} {_seconds(each.overrun)} s, limit {each.job.deadline_s:g} s"
        case JobStatus.State.LATE:
            return f"{each.job.name} +{_seconds(each.late_by)} s"
        case JobStatus.State.FAILING:
            return f"{each.job.name} {each.failing} in a row"
        case JobStatus.State.STALE:
            return f"{each.job.name} {_seconds(each.stale)} s"
    return each.job.name


def _seconds(age: timedelta | None) -> int:
    return round(age.total_seconds()) if age else 0
