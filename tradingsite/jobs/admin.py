"""Django admin for jobs: how they run, and buttons to pause, resume or run one. Jobs are defined in code."""

from typing import Any

import django_apscheduler.admin  # noqa: F401 - registers what is removed below
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from healthcheck.admin_bases import ReadOnlyAdmin
from tradingsite.jobs import control
from tradingsite.jobs.models import JobEvent, JobRun, JobState
from tradingsite.jobs.reporting import panel
from tradingsite.jobs.timetable import registered

# django-apscheduler's own pages would run jobs in the web process, and move them off their schedule.
admin.site.unregister([DjangoJob, DjangoJobExecution])


QUESTIONS = {
    "pause": _("Pause %(job)s?"),
    "resume": _("Resume %(job)s?"),
    "run": _("Run %(job)s now?"),
}
DONE = {
    "pause": _("%(job)s is paused."),
    "resume": _("%(job)s runs again from its next tick on."),
    "run": _("A run of %(job)s is requested; the leader starts it within a second."),
}
MOST_EVENTS = 50


@admin.register(JobState)
class JobStateAdmin(ReadOnlyAdmin[JobState]):
    """One row for each job.

    The change permission allows pausing, resuming and running; the leader acts on it.
    """

    exclude = ("recent",)  # shown as a drawing instead

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.control_view)
        return [path("<str:name>/<str:action>/now/", page, name="jobs_control"), *super().get_urls()]

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_jobstate")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """List every registered job, even if it has never run."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request, "list.html", {**panel.jobs(), "title": gettext("Jobs")})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add statistics and events of the job to its page."""
        facts: dict[str, Any] = {}
        if object_id in registered() and self.has_view_permission(request) and request.method == "GET":
            JobState.objects.register([object_id])
            facts = panel.one(object_id)
            facts["events"] = JobEvent.objects.filter(job_name=object_id)[:MOST_EVENTS]
            facts["may_control"] = self.has_control_permission(request)
        return super().change_view(request, object_id, form_url, {**facts, **(extra_context or {})})

    def control_view(self, request: HttpRequest, name: str, action: str) -> HttpResponse:
        """Ask for a confirmation, then store the request in the row of the job."""
        if not (self.has_view_permission(request) and self.has_control_permission(request)):
            raise PermissionDenied
        if action not in QUESTIONS or name not in registered():
            raise Http404
        question = QUESTIONS[action] % {"job": name}
        facts = {"name": name, "action": action, "title": question, "longest_reason": control.LONGEST_REASON}
        if request.method != "POST":
            return self._page(request, "confirm.html", facts)
        try:
            _do(name, action, request)
        except control.NotAllowed as refused:
            return self._page(request, "confirm.html", {**facts, "refused": str(refused)}, status=409)
        self.message_user(request, DONE[action] % {"job": name}, messages.SUCCESS)
        return redirect("admin:jobs_jobstate_change", name)

    def _page(
        self, request: HttpRequest, template: str, facts: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "may_control": self.has_control_permission(request),
            **facts,
        }
        return TemplateResponse(request, f"admin/jobs/jobstate/{template}", context, status=status)


def _do(name: str, action: str, request: HttpRequest) -> None:
    by = request.user.get_username()
    if action == "pause":
        control.pause(name, request.POST.get("reason", ""), by)
    elif action == "resume":
        control.resume(name, by)
    else:
        control.request_run(name, by)


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin[JobEvent]):
    """Events of jobs other than scheduled runs, newest first."""

    list_display = ("at", "job_name", "kind", "by", "text")
    list_filter = ("kind", "job_name")


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    """Failed runs of every job, and all runs of jobs that run rarely."""

    list_display = ("run_time", "job_id", "succeeded", "seconds", "exception")
    list_filter = ("job_id", "status")
    date_hierarchy = "run_time"
    fields = ("job_id", "run_time", "succeeded", "seconds", "exception")

    @admin.display(description=_("Succeeded"), boolean=True)
    def succeeded(self, run: JobRun) -> bool:
        return bool(run.status == JobRun.SUCCESS)

    @admin.display(description=_("Duration (s)"))
    def seconds(self, run: JobRun) -> str:
        return str(run.duration)
