"""The health component `scheduler`: is one alive, and does every registered job do well (R23)?"""

from collections.abc import Callable
from datetime import timedelta

from django.utils.translation import gettext_noop

from healthcheck.report import Finding, Status
from tradingsite.jobs.reporting.status import HEARTBEAT_LIMIT, LOOP_LIMIT, JobStatus, SchedulerStatus, read
from tradingsite.jobs.schedule import registered


def scheduler() -> Finding:
    """Judge by the database alone, so that every process gives the same answer."""
    status = read()
    return _down(status) or _jobs(status) or _quarantine(status) or _good(status)


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
        text = gettext_noop("the scheduler's loop has not come round for %(lag_s)s s, limit %(limit_s)s s")
        return Finding("unhealthy", text, lag_s=_seconds(status.loop_lag), limit_s=_seconds(LOOP_LIMIT))
    return None


def _lateness(each: JobStatus) -> str | None:
    return f"+{_seconds(each.late_by)} s" if each.late_by else None


def _overrun(each: JobStatus) -> str | None:
    return f"{_seconds(each.overrun)} s, limit {each.job.deadline_s:g} s" if each.overrun else None


def _failing(each: JobStatus) -> str | None:
    return f"{each.failing} in a row" if each.failing else None


def _stale(each: JobStatus) -> str | None:
    return f"{_seconds(each.stale)} s" if each.stale else None


_TROUBLES: dict[str, tuple[str, Callable[[JobStatus], str | None]]] = {
    "late": (gettext_noop("late: %(jobs)s"), _lateness),
    "runs too long": (gettext_noop("runs too long: %(jobs)s"), _overrun),
    "failing": (gettext_noop("failing: %(jobs)s"), _failing),
    "no success for": (gettext_noop("no success for: %(jobs)s"), _stale),
}


def _jobs(status: SchedulerStatus) -> Finding | None:
    found: dict[str, str] = {}
    for word, (_, judge) in _TROUBLES.items():
        named = [f"{each.job.name} {text}" for each in status.jobs if (text := judge(each))]
        if named:
            found[word] = ", ".join(named)
    if not found:
        return None
    if len(found) == 1:
        ((word, jobs),) = found.items()
        return Finding("unhealthy", _TROUBLES[word][0], jobs=jobs)
    text = gettext_noop("several troubles: %(troubles)s")
    return Finding("unhealthy", text, troubles="; ".join(f"{word}: {jobs}" for word, jobs in found.items()))


def _quarantine(status: SchedulerStatus) -> Finding | None:
    held = [each for each in status.jobs if each.quarantined]
    if not held:
        return None
    # Money is at stake while one of those that are always tried does not run (R13).
    severity: Status = "unhealthy" if any(each.job.always_tried for each in held) else "warning"
    text = gettext_noop("in quarantine: %(jobs)s")
    return Finding(severity, text, jobs="; ".join(map(_why, held)))


def _good(status: SchedulerStatus) -> Finding:
    paused = [each for each in status.jobs if each.paused]
    leader = status.leader
    since = f"{leader.acquired_at:%Y-%m-%d %H:%M:%S}" if leader else ""
    facts = {"host": leader.holder if leader else "", "since": since}
    if paused:
        text = gettext_noop("on time; paused: %(jobs)s; %(host)s leads since %(since)s UTC")
        return Finding("healthy", text, jobs="; ".join(map(_why, paused)), **facts)
    text = gettext_noop("all %(count)s jobs are on time; %(host)s leads since %(since)s UTC")
    return Finding("healthy", text, count=len(registered()), **facts)


def _why(each: JobStatus) -> str:
    return f"{each.job.name} ({each.why_paused})"


def _seconds(age: timedelta | None) -> int:
    return round(age.total_seconds()) if age else 0
