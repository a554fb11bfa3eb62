"""The jobs on the status page."""

from datetime import datetime
from typing import Any

from tradingsite.jobs.standing import JobStanding, read


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
