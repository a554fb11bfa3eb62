"""The jobs on the status page, and whether the trader buys and sells."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from sysconfig.registry import UnreadableConfig
from tradingsite.jobs.models import JobState
from tradingsite.jobs.standing import JobStanding, read
from tradingsite.orders.panel import today
from tradingsite.orders.valued import valued_positions
from tradingsite.risk.gate import CHECKED_LIMIT
from tradingsite.risk.panel import halts
from tradingsite.risk.state import states


def trading() -> dict[str, Any]:
    """Return the context of `status/trading.html`: the state, each market's, the halts; 7 queries."""
    at = timezone.now()
    found = states(others=[*_unwatched(at), *_lost(at)])
    return {"state": found.pop(""), "markets": found, **halts()}


def _unwatched(at: datetime) -> Iterator[Finding]:
    checked = JobState.objects.filter(job_name="check_volatility").values_list("last_success_at", flat=True)
    last = checked.first()
    if last is None:
        yield Finding("warning", gettext_noop("check_volatility has never succeeded"))
    elif at - last > CHECKED_LIMIT:
        text = gettext_noop("check_volatility last succeeded %(age)s s ago, limit %(limit)s s")
        yield Finding("warning", text, age=round((at - last).total_seconds()), limit=CHECKED_LIMIT.seconds)


def _lost(at: datetime) -> Iterator[Finding]:
    try:
        day = today(valued_positions(at)["rows"], at)
    except UnreadableConfig:  # `states` halts on it and names it
        return
    if day.reached:
        text = gettext_noop("the day's result is %(result)s KRW, limit %(limit)s KRW")
        yield Finding("warning", text, result=day.shown_result, limit=day.shown_limit)


def jobs() -> dict[str, Any]:
    """Return the context of `status/jobs.html`: who leads, and one of `jobs` for each registered job."""
    standing = read()
    return {
        "alive": standing.alive,
        "leader": standing.leader,
        "silent_for": standing.heartbeat_age,
        "jobs": [_row(job, standing.now) for job in standing.jobs],
    }


def _row(standing: JobStanding, now: datetime) -> dict[str, Any]:
    """Return one job's facts; those of the last run are None before the first."""
    state, next_run_at = standing.state, standing.next_run_at
    ran = state is not None and state.last_started_at is not None
    return {
        "name": standing.job.name,
        "every": standing.job.every,
        "ran_at": state.last_started_at if state else None,
        "ran_ago": now - state.last_started_at if state and state.last_started_at else None,
        "duration_ms": state.last_duration_ms if state else None,
        "success": state.last_success if state else None,
        "error": state.last_error if state else "",
        "counts": state.last_counts if state and ran else {},
        "failures": state.consecutive_failures if state else 0,
        "running_for": now - state.running_since if state and state.running_since else None,
        "next_run_at": next_run_at,
        "next_run_in": next_run_at - now if next_run_at and next_run_at > now else None,
        "late_by": standing.late_by,
    }
