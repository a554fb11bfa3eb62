"""Tables of the jobs: the state of each job, its statistics by hour, and its events."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJobExecution

from healthcheck.templatetags.moments import moment_text
from tradingsite.jobs.leadership import SchedulerHeartbeat, SchedulerProcess
from tradingsite.jobs.run_result import RunResult

if TYPE_CHECKING:
    from typing import Self

__all__ = ["JobEvent", "JobHour", "JobRun", "JobState", "SchedulerHeartbeat", "SchedulerProcess"]

QUARANTINE, BY_HAND = "quarantine:", "operator:"
"""First word of the reason for a pause: set by the scheduler itself, or by an operator."""
MOST_RECENT = 40
"""How many outcomes of a job are kept for the drawing of recent runs."""


class JobStateQuerySet(models.QuerySet["JobState"]):
    """Changes to the row of a job. Callers hold the scheduler's lock, except for runs by hand.

    Times are the database's (`Now`), since the clocks of different machines are never compared.
    """

    def register(self, names: Iterable[str]) -> None:
        self.bulk_create([JobState(job_name=name) for name in names], ignore_conflicts=True)

    def await_ticks(self, names: Iterable[str]) -> None:
        """Set `awaited_since` to now where a tick has been run since it was set last. Called by a new leader.

        Lateness is counted from there. It is not reset without a run: otherwise leaders that come and go
        without running anything would keep a job from ever being late.
        """
        has_run = Q(awaited_since__isnull=True) | Q(last_tick__gte=F("awaited_since"))
        self.filter(has_run, job_name__in=list(names)).update(awaited_since=Now())

    def last_ticks(self, *, only_if_succeeded: Collection[str] = ()) -> dict[str, datetime | None]:
        """Return the last tick of each job; None for one in `only_if_succeeded` without a success."""
        return {
            name: None if name in only_if_succeeded and succeeded_at is None else tick
            for name, tick, succeeded_at in self.values_list("job_name", "last_tick", "last_success_at")
        }

    def last_success_at(self, job_name: str) -> datetime | None:
        return self.filter(job_name=job_name).values_list("last_success_at", flat=True).first()

    def record(
        self, result: RunResult, *, preceding: Iterable[RunResult] = (), for_another: bool = False
    ) -> bool:
        """Record the end of a run; return False if another leader has closed it meanwhile.

        A scheduled run is recorded only while its claim is in force.

        Args:
            result: of a run that may have ended a while ago.
            preceding: ticks before it that were not run, for the list of recent outcomes.
            for_another: the run belongs to another process. Its claim is cancelled, so that process can no
                longer record it.
        """
        ended = Now() - Value(timedelta(seconds=monotonic() - result.ended_monotonic_s))
        changes: dict[str, object] = {
            "last_started_at": ended - Value(timedelta(milliseconds=result.duration_ms)),
            "last_finished_at": ended,
            "last_duration_ms": result.duration_ms,
            "last_success": result.success,
            "last_error": result.error or "",
            "last_counts": dict(result.counts),
            "last_attempts": result.attempts,
            "runs": F("runs") + 1,
            "consecutive_failures": 0 if result.success else F("consecutive_failures") + 1,
        }
        if result.success:
            changes["last_success_at"] = ended
        rows = self.filter(job_name=result.job_name)
        if result.tick is not None:
            # A later run may have begun before this one could be recorded.
            changes["running_since"] = Case(
                When(last_tick__gt=result.tick, then=F("running_since")), default=None
            )
            changes["last_lateness_ms"] = result.lateness_ms
            changes["recent"] = _recent([*preceding, result])
        if for_another:
            changes["claim_epoch"] = -F("claim_epoch")  # matches no claim, and is less than any later one
        if result.epoch or for_another:
            rows = rows.filter(claim_epoch=result.epoch)
        return bool(rows.update(**changes))

    def left_running(self, *, by_others_than: Collection[str]) -> "Self":
        """Return the jobs marked as running, except those that run in this process."""
        return self.filter(running_since__isnull=False).exclude(job_name__in=by_others_than)


def _recent(outcomes: Iterable[RunResult]) -> RawSQL:
    """Append to the list in SQL, without reading it first, and keep only its last entries."""
    added = [{"tick": each.tick and each.tick.isoformat(), "outcome": each.outcome} for each in outcomes]
    last = f"jsonb_path_query_array(recent || %s::jsonb, '$[last-{MOST_RECENT - 1} to last]')"
    return RawSQL(last, [json.dumps(added)])  # noqa: S611 - only parameters and a constant


class JobState(models.Model):
    """The state of one job. Its next run time is in the job store."""

    job_name = models.CharField(_("job"), max_length=100, primary_key=True)
    last_tick = models.DateTimeField(
        _("last tick"), null=True, help_text=_("The instant of the timetable that was run last.")
    )
    running_since = models.DateTimeField(_("running since"), null=True)
    last_started_at = models.DateTimeField(_("last started at"), null=True)
    last_finished_at = models.DateTimeField(_("last finished at"), null=True)
    last_duration_ms = models.FloatField(_("last duration (ms)"), null=True)
    last_success = models.BooleanField(_("last run succeeded"), null=True)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    last_success_at = models.DateTimeField(_("last success at"), null=True)
    last_counts = models.JSONField(_("last counts"), default=dict, help_text=_("What the last run counted."))
    consecutive_failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    runs = models.PositiveBigIntegerField(_("runs"), default=0)
    # The columns below also have defaults in the database, since an older release inserts rows as well.
    claim_epoch = models.BigIntegerField(
        _("claim epoch"), default=0, db_default=0, help_text=_("Whose run this is: the leader's epoch.")
    )
    last_attempts = models.PositiveIntegerField(_("attempts of the last run"), default=0, db_default=0)
    last_lateness_ms = models.FloatField(_("last start's lateness (ms)"), null=True)
    awaited_since = models.DateTimeField(
        _("next tick awaited since"),
        null=True,
        help_text=_("When a scheduler first began to lead after the last tick."),
    )
    recent = models.JSONField(
        _("recent outcomes"),
        default=list,
        db_default=Value([], models.JSONField()),
        help_text=_("The last 40."),
    )
    paused = models.BooleanField(_("paused"), default=False, db_default=False)
    pause_reason = models.CharField(
        _("reason of the pause"), max_length=500, blank=True, default="", db_default=""
    )
    paused_by = models.CharField(_("paused by"), max_length=255, blank=True, default="", db_default="")
    paused_at = models.DateTimeField(_("paused at"), null=True)
    run_requested_at = models.DateTimeField(_("run requested at"), null=True)
    run_requested_by = models.CharField(
        _("run requested by"), max_length=255, blank=True, default="", db_default=""
    )
    last_requested_by = models.CharField(
        _("last run requested by"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("Empty: it was timed."),
    )

    objects = JobStateQuerySet.as_manager()

    class Meta:
        db_table = "job_state"
        ordering = ("job_name",)
        verbose_name = _("job state")
        verbose_name_plural = _("job states")

    def __str__(self) -> str:
        return self.job_name

    @property
    def quarantined(self) -> bool:
        return self.paused and self.pause_reason.startswith(QUARANTINE)

    @property
    def why_paused(self) -> str:
        """The reason for its pause, without the first word, which `state` expresses already."""
        return self.pause_reason.removeprefix(QUARANTINE).removeprefix(BY_HAND).strip()


class JobHour(models.Model):
    """The statistics of one job in one hour. Histograms are sparse: {"bucket": count}."""

    job_name = models.CharField(_("job"), max_length=100)
    hour = models.DateTimeField(_("hour"))
    runs = models.PositiveIntegerField(_("runs"), default=0)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    aborted = models.PositiveIntegerField(_("aborted"), default=0)
    duration_histogram = models.JSONField(_("durations"), default=dict)
    lateness_histogram = models.JSONField(_("lateness"), default=dict)

    class Meta:
        db_table = "job_hour"
        ordering = ("-hour", "job_name")
        verbose_name = _("job hour")
        verbose_name_plural = _("job hours")
        constraints = [models.UniqueConstraint(fields=["job_name", "hour"], name="one_row_a_job_and_hour")]

    def __str__(self) -> str:
        return f"{self.job_name} {moment_text(self.hour, 'dated minutes')}"


class JobEvent(models.Model):
    """An event of a job other than a scheduled run, and who caused it."""

    class Kind(models.TextChoices):
        PAUSED = "paused", _("paused")
        RESUMED = "resumed", _("resumed")
        RUN_REQUESTED = "run_requested", _("run requested")
        QUARANTINED = "quarantined", _("quarantined")
        ABORTED = "aborted", _("aborted")
        HARD_LIMIT = "hard_limit", _("hard limit")
        SKIPPED = "skipped", _("skipped")

    at = models.DateTimeField(_("at"), db_default=Now())
    job_name = models.CharField(_("job"), max_length=100)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    by = models.CharField(_("by"), max_length=255, blank=True, help_text=_("Empty: the scheduler itself."))
    text = models.TextField(_("text"), blank=True)

    class Meta:
        db_table = "job_event"
        ordering = ("-at", "-id")
        verbose_name = _("job event")
        verbose_name_plural = _("job events")
        indexes = [models.Index(fields=["job_name", "-at"], name="job_event_of_job")]

    def __str__(self) -> str:
        return f"{self.job_name} {self.kind}"


class JobRun(DjangoJobExecution):  # type: ignore[misc]  # django_apscheduler has no types
    """One stored run, in the table of django-apscheduler. See `records.kept_runs`."""

    class Meta:
        proxy = True
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
