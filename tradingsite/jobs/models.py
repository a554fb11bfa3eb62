"""What the scheduler leaves for others to see: a row a job, and one row for whoever leads."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJobExecution

from tradingsite.jobs.outcome import Outcome

if TYPE_CHECKING:
    from typing import Self


class JobStateQuerySet(models.QuerySet["JobState"]):
    """What happens to a job's row. Callers hold the scheduler's lock, except for runs by hand.

    Times are the database's (`Now`), since clocks of different machines are never compared.
    """

    def register(self, names: Iterable[str]) -> None:
        """Make the missing rows."""
        self.bulk_create([JobState(job_name=name) for name in names], ignore_conflicts=True)

    def last_ticks(self, *, only_if_succeeded: Collection[str] = ()) -> dict[str, datetime | None]:
        """Return the last tick of each job; None for those of the named that have never succeeded."""
        return {
            name: None if name in only_if_succeeded and succeeded_at is None else tick
            for name, tick, succeeded_at in self.values_list("job_name", "last_tick", "last_success_at")
        }

    def started(self, name: str, tick: datetime) -> None:
        """Note that the run of `tick` begins now."""
        self.filter(job_name=name).update(last_tick=tick, running_since=Now(), last_started_at=Now())

    def record(self, outcome: Outcome) -> None:
        """Note how a run ended. It may have ended a while ago: its times are kept."""
        ended = Now() - Value(timedelta(seconds=monotonic() - outcome.ended_monotonic_s))
        changes: dict[str, object] = {
            "last_started_at": ended - Value(timedelta(milliseconds=outcome.duration_ms)),
            "last_finished_at": ended,
            "last_duration_ms": outcome.duration_ms,
            "last_success": outcome.success,
            "last_error": outcome.error or "",
            "last_counts": dict(outcome.counts),
            "runs": F("runs") + 1,
            "consecutive_failures": 0 if outcome.success else F("consecutive_failures") + 1,
        }
        if outcome.success:
            changes["last_success_at"] = ended
        if outcome.tick is not None:
            # A later run may have begun before this one could be noted.
            changes["running_since"] = Case(
                When(last_tick__gt=outcome.tick, then=F("running_since")), default=None
            )
        self.filter(job_name=outcome.job_name).update(**changes)

    def left_running(self, *, by_others_than: Collection[str]) -> "Self":
        """Return the jobs whose run never ended, apart from those that still run in this process."""
        return self.filter(running_since__isnull=False).exclude(job_name__in=by_others_than)


class JobState(models.Model):
    """How one job stands. Its next run is the job store's to know."""

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

    objects = JobStateQuerySet.as_manager()

    class Meta:
        db_table = "job_state"
        ordering = ("job_name",)
        verbose_name = _("job state")
        verbose_name_plural = _("job states")

    def __str__(self) -> str:
        return self.job_name


class SchedulerHeartbeatQuerySet(models.QuerySet["SchedulerHeartbeat"]):
    """The one row, written only by the process that holds the scheduler's lock."""

    def take_over(self, holder: str, pid: int) -> "SchedulerHeartbeat":
        """Write this process into the row and return it."""
        now = {"acquired_at": Now(), "heartbeat_at": Now(), "last_loop_at": None}
        self.update_or_create(pk=1, defaults={"holder": holder, "pid": pid, **now})
        return self.get(pk=1)

    def beat(self, leader: "SchedulerHeartbeat", loop_age: timedelta) -> bool:
        """Say that `leader` is alive and when its loop was last round; False when another has taken over."""
        mine = self.filter(pk=1, pid=leader.pid, acquired_at=leader.acquired_at)
        return bool(mine.update(heartbeat_at=Now(), last_loop_at=Now() - Value(loop_age)))

    def by_the_clock(self) -> "tuple[SchedulerHeartbeat | None, datetime]":
        """Return the row, None when no scheduler ever led, and the database's time of this answer."""
        row = self.filter(pk=1).first()
        now = self.filter(pk=1).values_list(Now(), flat=True).first()
        return row, now or timezone.now()


class SchedulerHeartbeat(models.Model):
    """Who leads, and since when."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    holder = models.CharField(_("host"), max_length=255)
    pid = models.IntegerField(_("process"))
    acquired_at = models.DateTimeField(_("leads since"))
    heartbeat_at = models.DateTimeField(_("heartbeat"))
    last_loop_at = models.DateTimeField(_("last look at the timetable"), null=True)

    objects = SchedulerHeartbeatQuerySet.as_manager()

    class Meta:
        db_table = "scheduler_heartbeat"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_scheduler_heartbeat")]

    def __str__(self) -> str:
        return f"{self.holder}:{self.pid}"


class JobRun(DjangoJobExecution):  # type: ignore[misc]  # django_apscheduler has no types
    """A kept run, under a name of ours. See `history`."""

    class Meta:
        proxy = True
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
