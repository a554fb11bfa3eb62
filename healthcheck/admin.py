"""Health in admin: alerts to look at, maintenance windows and rehearsals to begin and end."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from healthcheck.models import Alert
from healthcheck.override_admin import HealthOverrideAdmin
from healthcheck.read_only_admin import ReadOnlyAdmin

__all__ = ["AlertAdmin", "HealthOverrideAdmin"]


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    """Only the scheduler writes these."""

    list_display = ("transition", "at", "state", "attempts", "sent_at", "next_attempt_at", "error")
    list_filter = ("state", "transition__component")
    list_select_related = ("transition",)
    date_hierarchy = "transition__at"

    @admin.display(description=_("at"), ordering="transition__at")
    def at(self, alert: Alert) -> object:
        """Return when the state changed."""
        return alert.transition.at
