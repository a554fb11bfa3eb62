"""Results of shared probes: one row a probe, so that all processes together ask a dependency once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class HealthResultQuerySet(models.QuerySet["HealthResult"]):
    """Every moment here is the database's, since the processes' clocks may differ."""

    def with_age(self) -> Self:
        """Add `age`, a timedelta, None before the first result."""
        return self.annotate(age=models.ExpressionWrapper(Now() - F("measured_at"), models.DurationField()))

    def claim(self, name: str, *, ttl_s: float, ttl_bad_s: float, hold_s: float) -> UUID | None:
        """Return a claim on the next run; None while a result is fresh or somebody else's claim lives."""
        expired = Q(measured_at=None) | Q(measured_at__lte=Now() - timedelta(seconds=ttl_s))
        expired |= ~Q(status="healthy") & Q(measured_at__lte=Now() - timedelta(seconds=ttl_bad_s))
        unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=Now())
        claim = uuid4()
        taken = self.filter(expired, unclaimed, name=name).update(
            claimed_until=Now() + timedelta(seconds=hold_s), claimed_by=claim
        )
        return claim if taken else None

    def publish(self, name: str, claim: UUID, result: Mapping[str, Any]) -> bool:
        """Store a result for all processes, unless the claim has expired and gone to somebody else."""
        return bool(
            self.filter(name=name, claimed_by=claim).update(
                **result, measured_at=Now(), claimed_until=None, claimed_by=None
            )
        )


class HealthResult(models.Model):
    """The last result of one shared probe, and who is measuring the next."""

    name = models.CharField(_("component"), max_length=64, primary_key=True)
    status = models.CharField(_("state"), max_length=9, blank=True, default="")
    message = models.TextField(
        _("message"), blank=True, default="", help_text=_("Before its values are filled in.")
    )
    params = models.JSONField(_("values of the message"), blank=True, default=dict)
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
