"""The output of `manage.py jobs`: jobs as JSON and as text."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from healthcheck.templatetags.moments import iso, moment_text
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.records.last_day import LastDay, last_day
from tradingsite.jobs.reporting.status import LOOP_STUCK, JobStatus, SchedulerStatus, read
from tradingsite.jobs.run_result import OUTCOME_WORDS, outcome_of

_WIDE = 1000
"""Columns: so wide that no cell is cut or wrapped."""


def everything() -> dict[str, Any]:
    status, days = read(), last_day()
    return {"leader": _leader(status), "jobs": [_job(each, days[each.job.name]) for each in status.jobs]}


def one(name: str) -> dict[str, Any]:
    return _job(read().job(name), last_day()[name])


def event(each: JobEvent) -> dict[str, Any]:
    return {"at": iso(each.at), "job": each.job_name, "kind": each.kind, "by": each.by, "text": each.text}


def last_run(state: JobState) -> dict[str, Any]:
    return {
        "job": state.job_name,
        "success": state.last_success,
        "duration_ms": state.last_duration_ms,
        "error": state.last_error or None,
        "counts": state.last_counts,
        "attempts": state.last_attempts,
        "requested_by": state.last_requested_by or None,
    }


def _leader(status: SchedulerStatus) -> dict[str, Any] | None:
    leader, age = status.leader, status.heartbeat_age
    if leader is None or age is None:
        return None
    return {
        "host": leader.holder,
        "pid": leader.pid,
        "epoch": leader.epoch,
        "since": iso(leader.acquired_at),
        "heartbeat_age_s": round(age.total_seconds(), 1),
        "alive": status.alive,
        "stuck": status.stuck,
        "standbys": [f"{each.host}:{each.pid}" for each in status.standbys],
    }


def _job(each: JobStatus, day: LastDay) -> dict[str, Any]:
    state = each.row or JobState(job_name=each.job.name)
    return {
        **last_run(state),
        "state": each.state.value,
        "every_s": each.job.every.total_seconds(),
        "deadline_s": each.job.deadline_s,
        "last_tick": iso(state.last_tick),
        "last_started_at": iso(state.last_started_at),
        "next_run_at": iso(each.next_run_at),
        "late_by_s": _s(each.late_by),
        "running_s": _s(each.running_for),
        "consecutive_failures": state.consecutive_failures,
        "pause_reason": state.why_paused or None,
        "paused_by": state.paused_by or None,
        "run_requested_by": state.run_requested_by or None,
        "last_lateness_ms": state.last_lateness_ms,
        "last_24_h": {
            "runs": day.runs,
            "failures": day.failures,
            "skipped": day.skipped,
            "aborted": day.aborted,
            "success_rate_pct": _rounded(day.success_rate_pct),
            **{f"duration_p{pct}_ms": _rounded(day.durations.percentile_ms(pct)) for pct in (50, 95, 99)},
            **{f"lateness_p{pct}_ms": _rounded(day.lateness.percentile_ms(pct)) for pct in (50, 95, 99)},
        },
        "recent": [each["outcome"] for each in state.recent],
    }


def as_table(report: dict[str, Any], *, is_terminal: bool) -> str:
    """Return `everything` as a table for people; without a terminal it has full width and no colour."""
    from rich.console import Console  # imported here: JSON output does not need it
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in (_("job"), _("state"), _("last run (UTC)"), _("next run (UTC)")):
        table.add_column(head)
    for head in ("p50", "p95", _("success")):
        table.add_column(head, justify="right")
    for job in report["jobs"]:
        table.add_row(*_cells(job))
    text = StringIO()
    width = None if is_terminal else _WIDE
    Console(file=text, force_terminal=is_terminal, width=width, markup=False).print(table)
    return f"{_leading(report['leader'])}\n\n{text.getvalue()}"


def _cells(job: dict[str, Any]) -> list[str]:
    day = job["last_24_h"]
    rate = day["success_rate_pct"]
    return [
        job["job"],
        str(JobStatus.State(job["state"]).label),
        _clock(job["last_started_at"]),
        _clock(job["next_run_at"]),
        _ms(day["duration_p50_ms"]),
        _ms(day["duration_p95_ms"]),
        "-" if rate is None else f"{rate:g} %",
    ]


def _leading(leader: dict[str, Any] | None) -> str:
    if leader is None:
        return _("No scheduler has ever run.")
    facts = {**leader, "count": len(leader["standbys"]), "at": _clock(leader["since"])}
    if not leader["alive"]:
        return _("No scheduler leads: %(host)s was last alive %(heartbeat_age_s)s s ago.") % facts
    text = _("%(host)s leads since %(at)s UTC (process %(pid)s, epoch %(epoch)s); standing by: %(count)s")
    return f"{text % facts}. {LOOP_STUCK}" if leader["stuck"] else text % facts


def as_facts(report: dict[str, Any]) -> list[str]:
    """Return `one` line by line, with the names of the JSON fields."""
    flat = {**report, **report["last_24_h"], "recent": " ".join(report["recent"])}
    del flat["last_24_h"]
    return [f"{name:22}  {'-' if value in (None, '') else value}" for name, value in flat.items()]


def run_lines(report: dict[str, Any]) -> list[str]:
    counts = ", ".join(f"{what}: {count}" for what, count in report["counts"].items())
    word = OUTCOME_WORDS[outcome_of(None if report["success"] else report["error"] or "")]
    return [
        line
        for line in (f"{report['job']} {word}, {report['duration_ms']:g} ms", report["error"], counts)
        if line
    ]


def event_line(each: JobEvent) -> str:
    by = f" ({each.by})" if each.by else ""
    return f"{moment_text(each.at)}  {each.get_kind_display()}{by}  {each.text}".rstrip()


def _clock(stamp: str | None) -> str:
    return moment_text(datetime.fromisoformat(stamp)) if stamp else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:g} ms"


def _s(age: timedelta | None) -> float | None:
    return round(age.total_seconds(), 1) if age else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
