"""One job for people: what it is for, how it does, its last runs, and what to do (docs/health.md, 27)."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from healthcheck.access import query_or_none, staff_page, unknown
from healthcheck.pages import runbook
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.reporting import panel
from tradingsite.jobs.reporting.run_list import Run, last_runs
from tradingsite.jobs.schedule import ScheduledJob, registered

_EVENTS = 20
# Of the verdict; without a database there is no state. All others are bad; one failure is not yet.
_VERDICTS = {
    "": "degraded",
    "well": "healthy",
    "paused": "notice",
    "quarantine": "degraded",
    "failed": "degraded",
}
_SHAPES = {**dict.fromkeys(_VERDICTS, "warning"), "well": "healthy", "paused": "idle"}


@staff_page
def job_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one registered job; 404 with the registered names for another."""
    known = registered()
    if name not in known:
        return unknown(request, name, [(each, reverse("job_page", args=[each])) for each in known])
    found = query_or_none(lambda: _found(known[name]))
    state = state_of(found["job"]) if found else ""
    advised = "failed" if state == "failing" else state
    context = {
        "timetable": known[name],
        "why": gettext(known[name].why) if known[name].why else "",
        "advice": runbook.advice(name, advised),
        "verdict": _VERDICTS.get(state, "unhealthy"),
        "shape": _SHAPES.get(state, "unhealthy"),
        **(found or {}),
    }
    return render(request, "status/job_page.html", context)


def state_of(job: dict[str, Any]) -> str:
    """Return the worst that holds: a word under which the runbook tells what to do, or "failing"."""
    words: Sequence[tuple[str, object]] = (
        ("quarantine", job["quarantined"]),
        ("paused", job["paused"]),
        ("overrun", job["overrun"]),
        ("late", job["late_by"]),
        ("failing", job["failing"] or job["stale"]),
        ("failed", job["success"] is False),
    )
    return next((word for word, holds in words if holds), "well")


def _found(job: ScheduledJob) -> dict[str, Any]:
    """Ask the database, in a number of queries that does not depend on the history."""
    state = JobState.objects.filter(pk=job.name).first()
    runs: list[Run] = last_runs(job, state)
    found = panel.one(job.name)
    return {
        **found,
        "why_paused": found["job"]["why_paused"].removeprefix("operator: "),
        "row": state,
        "runs": [(panel.OUTCOME_WORDS[run.kind], run) for run in runs],
        "events": list(JobEvent.objects.filter(job_name=job.name)[:_EVENTS]),
    }
