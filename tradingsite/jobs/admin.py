"""Job states to look at. Nothing here can be edited: jobs are run by the scheduler, and defined in code."""

import django_apscheduler.admin  # noqa: F401 - registers what is removed below
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from tradingsite.jobs.models import JobRun, JobState

# A row's time edited there makes a job run off its grid; "Run selected" runs jobs in the web process.
admin.site.unregister([DjangoJob, DjangoJobExecution])


class ReadOnlyAdmin(admin.ModelAdmin[models.Model]):
    """Rows that only the program writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(JobState)
class JobStateAdmin(ReadOnlyAdmin):
    """One row a job."""

    list_display = (
        "job_name",
        "last_started_at",
        "last_duration_ms",
        "last_success",
        "last_success_at",
        "consecutive_failures",
        "runs",
        "last_error",
    )


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Failed runs of every job, and all runs of the rare ones."""

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
