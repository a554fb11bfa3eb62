"""A job's page for operators: its purpose, its state, its last runs, and what to do.

See docs/health.md, rule 27.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from healthcheck.access import query_or_none, staff_page, unknown_name_page
from healthcheck.pages import runbook
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.reporting import panel
from tradingsite.jobs.reporting.run_list import Run, last_runs
from tradingsite.jobs.reporting.status import JobStatus
from tradingsite.jobs.run_result import OUTCOME_WORDS
from tradingsite.jobs.timetable import ScheduledJob, registered

_EVENTS = 20
_VERDICTS = {"run": "healthy", "idle": "notice", "warning": "degraded"}
"""CSS class of the headline for a `look`, where the two names differ."""
_ADVICE = {
    JobStatus.State.FAILING: JobStatus.State.FAILED,
    JobStatus.State.STALE: JobStatus.State.FAILED,
    JobStatus.State.RUNNING: JobStatus.State.OK,
    JobStatus.State.NEVER_RAN: JobStatus.State.OK,
}
"""The state whose runbook advice is shown, for states without advice of their own."""


@staff_page
def job_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one registered job; 404 with all names for an unknown one."""
    known = registered()
    if name not in known:
        return unknown_name_page(request, name, [(each, reverse("job_page", args=[each])) for each in known])
    found = query_or_none(lambda: _found(known[name]))
    state = found["job"]["state"] if found else None
    look = found["job"]["look"] if found else "warning"
    context = {
        "timetable": known[name],
        "why": gettext(known[name].why) if known[name].why else "",
        "advice": runbook.advice(name, _ADVICE.get(state, state) if state else ""),
        "verdict": _VERDICTS.get(look, look),
        "shape": look,
        **(found or {}),
    }
    return render(request, "status/job_page.html", context)


def _found(job: ScheduledJob) -> dict[str, Any]:
    """Query everything about the job, in a fixed number of queries."""
    state = JobState.objects.filter(pk=job.name).first()
    runs: list[Run] = last_runs(job, state)
    found = panel.one(job.name)
    return {
        **found,
        "row": state,
        "runs": [(OUTCOME_WORDS[run.outcome], run) for run in runs],
        "events": list(JobEvent.objects.filter(job_name=job.name)[:_EVENTS]),
    }
