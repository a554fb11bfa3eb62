"""Tables of the health app: shared results, history, overrides and alerts.

See docs/health.md, rules 9, 15, 19 and 22.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from healthcheck.templatetags.moments import moment_text


class HealthResultQuerySet(models.QuerySet["HealthResult"]):
    """All times are the database's, since the clocks of the processes may differ."""

    def with_age(self) -> Self:
        """Add `age`, a timedelta; None before the first result."""
        return self.annotate(age=models.ExpressionWrapper(Now() - F("measured_at"), models.DurationField()))

    def claim(self, name: str, *, ttl_s: float, ttl_bad_s: float, hold_s: float) -> UUID | None:
        """Return a claim on the next run; None while the result is fresh or another process has the claim."""
        expired = Q(measured_at=None) | Q(measured_at__lte=Now() - timedelta(seconds=ttl_s))
        expired |= ~Q(status="healthy") & Q(measured_at__lte=Now() - timedelta(seconds=ttl_bad_s))
        unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=Now())
        claim = uuid4()
        taken = self.filter(expired, unclaimed, name=name).update(
            claimed_until=Now() + timedelta(seconds=hold_s), claimed_by=claim
        )
        return claim if taken else None

    def publish(self, name: str, claim: UUID, result: Mapping[str, Any]) -> bool:
        """Store a result for all processes; return False if another one has the claim by now."""
        return bool(
            self.filter(name=name, claimed_by=claim).update(
                **result, measured_at=Now(), flags_at=Now(), claimed_until=None, claimed_by=None
            )
        )


class HealthResult(models.Model):
    """The last result of one shared probe, and which process runs the next."""

    name = models.CharField(_("component"), max_length=64, primary_key=True)
    status = models.CharField(_("state"), max_length=9, blank=True, default="")
    message = models.TextField(
        _("message"), blank=True, default="", help_text=_("Before its values are filled in.")
    )
    params = models.JSONField(_("values of the message"), blank=True, default=dict)
    flags = models.JSONField(_("flags"), blank=True, default=dict, db_default={})
    # Release 0.6.0 writes results without flags; then this differs from `measured_at`.
    flags_at = models.DateTimeField(_("flags measured at"), null=True)
    latency_ms = models.FloatField(_("latency in ms"), null=True)
    measured_at = models.DateTimeField(_("measured at"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    claimed_by = models.UUIDField(_("claimed by"), null=True)

    age: timedelta | None

    objects = HealthResultQuerySet.as_manager()

    class Meta:
        db_table = "health_result"
        verbose_name = _("shared health result")
        verbose_name_plural = _("shared health results")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["", "healthy", "warning", "unhealthy"]),
                name="health_result_status_known",
            ),
            models.CheckConstraint(
                condition=Q(measured_at=None) | ~Q(status=""), name="health_result_measured_has_status"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def current_flags(self) -> Mapping[str, bool]:
        """The flags, unless they belong to an earlier result than the one in the row."""
        flags: Mapping[str, bool] = self.flags
        return flags if self.flags_at == self.measured_at else {}


STATUSES = ("healthy", "warning", "unhealthy")


class HealthState(models.Model):
    """The damped status of one component: what transitions and the page's "since" are based on."""

    component = models.CharField(_("component"), max_length=64, primary_key=True)
    status = models.CharField(_("state"), max_length=9)
    since = models.DateTimeField(_("since"))
    last_good_at = models.DateTimeField(_("last healthy"), null=True)
    last_error_at = models.DateTimeField(_("last error"), null=True)
    last_error = models.TextField(_("last error's message"), blank=True, default="")
    last_error_params = models.JSONField(_("values of the message"), blank=True, default=dict)
    usual_p95_ms = models.FloatField(
        _("usual 95th percentile in ms"), null=True, help_text=_("Of the last 24 hours; what slow means.")
    )
    seen_at = models.DateTimeField(_("last looked at"))

    class Meta:
        db_table = "health_state"
        verbose_name = _("health state")
        verbose_name_plural = _("health states")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="health_state_status_known")
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.status}"


class HealthSample(models.Model):
    """One component in one minute, as measured, without damping."""

    component = models.CharField(_("component"), max_length=64)
    at = models.DateTimeField(_("minute"), help_text=_("Its beginning."))
    status = models.CharField(_("state"), max_length=9)
    judged = models.BooleanField(_("judged"), help_text=_("False counts neither as up nor as down."))
    paused = models.BooleanField(_("paused on purpose"), help_text=_("Never downtime."))
    latency_ms = models.FloatField(_("latency in ms"), null=True)

    class Meta:
        db_table = "health_sample"
        verbose_name = _("health sample")
        verbose_name_plural = _("health samples")
        constraints = [
            models.UniqueConstraint(fields=["component", "at"], name="health_sample_once_a_minute"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="health_sample_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {moment_text(self.at, 'dated minutes')}: {self.status}"


class HealthHour(models.Model):
    """The samples of one component in one hour, counted. Uptimes and the 90-day bars are made from these."""

    component = models.CharField(_("component"), max_length=64)
    hour = models.DateTimeField(_("hour"), help_text=_("Its beginning."))
    healthy = models.PositiveSmallIntegerField(_("healthy minutes"), default=0)
    warning = models.PositiveSmallIntegerField(_("minutes with a warning"), default=0)
    unhealthy = models.PositiveSmallIntegerField(_("unhealthy minutes"), default=0)
    paused = models.PositiveSmallIntegerField(_("minutes paused on purpose"), default=0)
    unjudged = models.PositiveSmallIntegerField(_("minutes that could not be judged"), default=0)

    class Meta:
        db_table = "health_hour"
        verbose_name = _("health of an hour")
        verbose_name_plural = _("health of hours")
        constraints = [
            models.UniqueConstraint(fields=["component", "hour"], name="health_hour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {moment_text(self.hour, 'dated minutes')}"


class HealthTransition(models.Model):
    """One damped change of state. It lasts until the next row of the component."""

    component = models.CharField(_("component"), max_length=64)
    at = models.DateTimeField(_("at"))
    before = models.CharField(_("before"), max_length=9)
    after = models.CharField(_("after"), max_length=9)
    message = models.TextField(_("message"), blank=True, default="")
    params = models.JSONField(_("values of the message"), blank=True, default=dict)
    version = models.CharField(_("release"), max_length=64, blank=True, default="")
    rehearsal = models.BooleanField(_("rehearsal"), default=False)

    class Meta:
        db_table = "health_transition"
        verbose_name = _("health transition")
        verbose_name_plural = _("health transitions")
        ordering = ("-at", "-pk")
        indexes = [
            models.Index(fields=["component", "-at"], name="health_transition_latest"),
            models.Index(fields=["-at", "-id"], name="health_transition_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["component", "at"], name="health_transition_once"),
            models.CheckConstraint(
                condition=Q(before__in=STATUSES, after__in=STATUSES) & ~Q(before=F("after")),
                name="health_transition_changes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.before} → {self.after}"


class HealthOverride(models.Model):
    """A maintenance window or a rehearsal, set by staff for a limited time.

    It begins and ends by the database's clock. `component` is "" for all components.
    """

    class Kind(models.TextChoices):
        MAINTENANCE = "maintenance", _("maintenance: paused on purpose")
        WARN = "warn", _("rehearsal: warn")
        FAIL = "fail", _("rehearsal: fail")

    component = models.CharField(_("component"), max_length=64, blank=True, default="")
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    reason = models.CharField(_("reason"), max_length=200)
    made_by = models.CharField(_("made by"), max_length=150)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended early at"), null=True, blank=True)
    ended_by = models.CharField(_("ended early by"), max_length=150, blank=True, default="")

    class Meta:
        db_table = "health_override"
        verbose_name = _("maintenance window or rehearsal")
        verbose_name_plural = _("maintenance windows and rehearsals")
        ordering = ("-starts_at", "-pk")
        constraints = [
            models.CheckConstraint(
                # "hang" is found only in rows of release 0.6.0, which also had that rehearsal.
                condition=Q(kind__in=["maintenance", "warn", "fail", "hang"]),
                name="health_override_kind_known",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="health_override_lasts"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.component or 'everything'}"


class Alert(models.Model):
    """One message about one transition, and whether it was sent (docs/alerts.md)."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        HELD = "held", _("summed up in a later message")
        FAILED = "failed", _("failed")

    transition = models.OneToOneField(
        HealthTransition, models.CASCADE, related_name="alert", verbose_name=_("transition")
    )
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    error = models.CharField(_("error"), max_length=200, blank=True, default="")

    class Meta:
        db_table = "health_alert"
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "sent", "held", "failed"]), name="health_alert_state_known"
            )
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="health_alert_due")
        ]

    def __str__(self) -> str:
        return f"{self.transition}: {self.state}"
