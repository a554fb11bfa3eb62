"""Contexts for the templates that show jobs, on the status page and in admin."""

from typing import Any

from tradingsite.jobs.models import JobState
from tradingsite.jobs.records.last_day import LastDay, last_day
from tradingsite.jobs.reporting.status import LOOP_STUCK, JobStatus, read
from tradingsite.jobs.run_result import OUTCOME_WORDS


def jobs() -> dict[str, Any]:
    """Return the context of `status/jobs.html`: the leader and all registered jobs, in 8 queries."""
    status, days = read(), last_day()
    return {
        "alive": status.alive,
        "stuck": LOOP_STUCK if status.stuck else "",
        "standbys": status.standbys,
        "outcome_words": list(OUTCOME_WORDS.items()),
        "led_for": status.now - status.leader.acquired_at if status.leader else None,
        "leader": status.leader,
        "silent_for": status.heartbeat_age,
        "jobs": [row(each, days[each.job.name]) for each in status.jobs],
    }


def one(name: str) -> dict[str, Any]:
    """Return the context about one registered job, as `job`."""
    return {"job": row(read().job(name), last_day()[name]), "outcome_words": list(OUTCOME_WORDS.items())}


def row(status: JobStatus, day: LastDay) -> dict[str, Any]:
    """Return the values of one job; those of the last run are None before the first run."""
    state = status.row or JobState(job_name=status.job.name)
    now, next_run_at = status.now, status.next_run_at
    ran = state.last_started_at is not None
    return {
        "name": status.job.name,
        "every": status.job.every,
        "ran_at": state.last_started_at,
        "ran_ago": now - state.last_started_at if state.last_started_at else None,
        "duration_ms": state.last_duration_ms,
        "lateness_ms": state.last_lateness_ms,
        "error": state.last_error,
        "counts": state.last_counts if ran else {},
        "failures": state.consecutive_failures,
        "state": status.state,
        "look": status.look,
        "state_for": status.state_for,
        "next_run_at": next_run_at,
        "next_run_in": next_run_at - now if next_run_at and next_run_at > now else None,
        "paused": state.paused,
        "quarantined": status.quarantined,
        "why_paused": status.why_paused,
        "requested_by": state.run_requested_by if state.run_requested_at else "",
        "p50_ms": day.durations.percentile_ms(50),
        "p95_ms": day.durations.percentile_ms(95),
        "late_p50_ms": day.lateness.percentile_ms(50),
        "late_p95_ms": day.lateness.percentile_ms(95),
        "success_rate_pct": day.success_rate_pct,
        "strip": strip(state.recent),
    }


def strip(recent: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a drawing of the recent outcomes, oldest first, and a sentence with the same content."""
    kinds = [each["outcome"] for each in recent]
    counted = [f"{kinds.count(kind)} {word}" for kind, word in OUTCOME_WORDS.items() if kind in kinds]
    marks = [{"kind": kind, "x": 9 * number + 4.5} for number, kind in enumerate(kinds)]
    return {"marks": marks, "text": ", ".join(counted), "width": 9 * len(kinds)}
