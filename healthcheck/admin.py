"""Django admin pages for maintenance windows and rehearsals, which staff start and end, and for alerts."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from healthcheck import overrides
from healthcheck.admin_bases import EndableAdmin, ReadOnlyAdmin
from healthcheck.declared import component_label, configured_probes
from healthcheck.models import Alert, HealthOverride

_Choices = forms.ChoiceField
_ALL = "all"
_PAST, _AHEAD = timedelta(minutes=10), timedelta(days=30)


class OverrideForm(forms.ModelForm[HealthOverride]):
    """Form for a new maintenance window or rehearsal. Its length is entered in minutes."""

    component = forms.ChoiceField(label=_("Component"))
    kind = forms.ChoiceField(label=_("Kind"))
    starts_at = forms.DateTimeField(
        label=_("From"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    minutes = forms.IntegerField(
        label=_("For how many minutes"),
        min_value=1,
        error_messages={"min_value": _("%(show_value)s minutes are too few, limit %(limit_value)s.")},
        help_text=_("It ends by itself. At most 1440 for a maintenance, 60 for a rehearsal."),
    )

    class Meta:
        model = HealthOverride
        fields = ("component", "kind", "reason")
        widgets = {"reason": AdminTextInputWidget}
        help_texts = {"reason": _("Shown with the component, to staff, with your name.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        component, kind = cast("_Choices", self.fields["component"]), cast("_Choices", self.fields["kind"])
        zone = {"zone": timezone.get_current_timezone_name()}
        self.fields["starts_at"].help_text = _("Empty: now. In the time zone %(zone)s.") % zone
        named = [(task.name, component_label(task.name)) for task in configured_probes()]
        component.choices = [("", "---------"), *named, (_ALL, _("all components"))]
        kind.choices = [("", "---------")] + [(each.value, each.label) for each in overrides.allowed_kinds()]
        if settings.HEALTH_REHEARSALS:
            kind.help_text = _(
                "A rehearsal changes what is shown and alerted, and nothing that the trader does. One of the "
                "database also takes this site out of its load balancer until it ends."
            )
        else:
            refused = _("%(value)s is refused: there are no rehearsals in live mode.")
            kind.error_messages["invalid_choice"] = refused

    def clean_starts_at(self) -> Any:
        """Allow only a start close to now.

        An old one would rewrite the past, a distant one would be forgotten.
        """
        starts_at, now = self.cleaned_data["starts_at"], timezone.now()
        if starts_at and not now - _PAST <= starts_at <= now + _AHEAD:
            text = _("%(value)s must be from 10 minutes ago to 30 days from now; leave it empty for now.")
            raise forms.ValidationError(text, params={"value": timezone.localtime(starts_at)})
        return starts_at

    def clean(self) -> None:
        super().clean()
        kind, minutes = self.cleaned_data.get("kind"), self.cleaned_data.get("minutes")
        if not kind or not minutes:
            return
        longest = overrides.LONGEST[overrides.Kind(kind)] // timedelta(minutes=1)
        if minutes > longest:
            text = _("%(value)d minutes are too many for %(kind)s, limit %(limit)d.")
            facts = {"value": minutes, "kind": overrides.Kind(kind).label, "limit": longest}
            self.add_error("minutes", forms.ValidationError(text, params=facts))

    def to_request(self) -> overrides.OverrideRequest:
        given = self.cleaned_data
        return overrides.OverrideRequest(
            component="" if given["component"] == _ALL else given["component"],
            kind=overrides.Kind(given["kind"]),
            lasts=timedelta(minutes=given["minutes"]),
            reason=given["reason"],
            starts_at=given["starts_at"],
        )


@admin.register(HealthOverride)
class HealthOverrideAdmin(EndableAdmin[HealthOverride]):
    """All overrides, newest first, with a mark on those in force."""

    list_display = (
        "where",
        "what",
        "reason",
        "starts_at",
        "ends_at",
        "in_force",
        "made_by",
        "ended_at",
        "ended_by",
    )
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("component", "reason", "made_by")
    add_title = _("Begin a maintenance or a rehearsal")

    @admin.display(description=_("component"), ordering="component")
    def where(self, override: HealthOverride) -> str:
        return override.component or gettext("all components")

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, override: HealthOverride) -> str:
        return override.get_kind_display()  # also works for a kind from another release

    @admin.display(description=_("in force"), boolean=True)
    def in_force(self, override: HealthOverride) -> bool:
        return override.ended_at is None and override.starts_at <= timezone.now() < override.ends_at

    def get_form(
        self,
        request: HttpRequest,
        obj: HealthOverride | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        return OverrideForm if obj is None else super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: HealthOverride | None = None) -> Any:
        if obj is None:
            return ("component", "kind", "starts_at", "minutes", "reason")
        names = [field.name for field in self.opts.concrete_fields if field.name != "id"]
        return ["what" if name == "kind" else name for name in names]

    def save_model(
        self,
        request: HttpRequest,
        obj: HealthOverride,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        made = overrides.impose(form.to_request(), request.user.get_username())
        obj.pk = made.pk
        obj.refresh_from_db()

    def end(self, row: HealthOverride, by: str) -> bool:
        return overrides.end(row, by)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    """Read-only: only the scheduler writes alerts."""

    list_display = ("transition", "at", "state", "attempts", "sent_at", "next_attempt_at", "error")
    list_filter = ("state", "transition__component")
    list_select_related = ("transition",)
    date_hierarchy = "transition__at"

    @admin.display(description=_("at"), ordering="transition__at")
    def at(self, alert: Alert) -> object:
        return alert.transition.at
