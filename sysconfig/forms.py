"""The form of one runtime setting: a typed widget, its unit, limits and default for a registered key."""

from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from sysconfig import registry
from sysconfig.kinds import Bool, Integer, Items, Kind, Number
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, UnreadableConfig

_STEPS: dict[type[Kind[Any]], str] = {Integer: "1", Number: "0.1"}


class ConfigValueField(forms.CharField):
    """The text of a registered key's value: made canonical, or refused with key, value and limit."""

    def __init__(self, key: ConfigKey[Any], stored: str) -> None:
        self.key = key
        unit = f" ({key.unit})" if key.unit else ""
        super().__init__(
            required=False,  # the kind refuses an empty text, and says for which key
            label=_("Value") + unit,
            widget=widget_for(key),
            help_text=_described(key),
        )
        try:
            self.initial = key.format(key.read(stored))
        except UnreadableConfig as unreadable:
            self.initial = stored
            complaint = _("The stored value %(value)r can't be used: %(rule)s.")
            self.help_text = (
                f"{escape(complaint % {'value': stored, 'rule': unreadable.rule})} {self.help_text}"
            )
            if isinstance(self.widget, forms.Select):  # or the first choice would look like the stored one
                self.widget.choices = [("", "—"), *self.widget.choices]

    def clean(self, value: Any) -> str:
        return self.key.format(super().clean(value))


def widget_for(key: ConfigKey[Any]) -> forms.Widget:
    """Return the widget that suits the key's kind."""
    kind: Kind[Any] = key.kind
    if isinstance(kind, Bool):
        return forms.Select(choices=[("true", _("yes")), ("false", _("no"))])
    if isinstance(kind, Items):
        return forms.Textarea(attrs={"rows": 3, "cols": 60})
    if type(kind) not in _STEPS:
        return forms.TextInput(attrs={"class": "vTextField"})
    attrs = {"step": _STEPS[type(kind)]}
    if key.limits:
        attrs |= {"min": key.kind.format(key.limits[0]), "max": key.kind.format(key.limits[1])}
    return forms.NumberInput(attrs=attrs)


def _described(key: ConfigKey[Any]) -> str:
    limits = [str(key.kind.limits_text(key.limits))] if key.limits else []
    default = _("default %(value)s") % {"value": key.format(key.default)}
    allowed = capfirst("; ".join([*limits, default]))
    return escape(f"{key.help} {allowed}.")  # the admin's template marks it safe


class SystemConfigForm(forms.ModelForm[SystemConfig]):
    """Add any key as plain text; change a registered one by its rules."""

    class Meta:
        model = SystemConfig
        fields = ("key", "value", "description")
        widgets = {name: forms.Textarea(attrs={"rows": 3, "cols": 60}) for name in ("value", "description")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = registry.find(self.instance.key)
        if key is not None and "value" in self.fields:
            field = ConfigValueField(key, self.instance.value)
            self.fields["value"] = field
            self.initial["value"] = field.initial
