"""The form for one runtime setting, with the widget, unit, limits and default of its registered type."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import router
from django.utils.html import escape
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from sysconfig import registry
from sysconfig.admin_pages import cells
from sysconfig.admin_pages.edit_conflict import Conflict, FormBase, find_conflict
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, UnreadableConfig
from sysconfig.value_types import Bool, Integer, Items, Number, ValueType

_LAST = 5  # changes under the form
_STEPS: dict[type[ValueType[Any]], str] = {Integer: "1", Number: "0.1"}


class ConfigValueField(forms.CharField):
    """The text of a registered key. Invalid input is rejected with key, value and limit."""

    def __init__(self, key: ConfigKey[Any], stored: str) -> None:
        self.key = key
        unit = f" ({key.unit})" if key.unit else ""
        super().__init__(
            required=False,  # the type rejects an empty text, with a message that names the key
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
            # Else the first choice would look like the stored value.
            if isinstance(self.widget, forms.Select):
                self.widget.choices = [("", "—"), *self.widget.choices]

    def clean(self, value: Any) -> str:
        return self.key.format(super().clean(value))


class PlainTextField(forms.CharField):
    """The text of an unregistered key. Line ends rewritten by the browser do not count as a change."""

    def to_python(self, value: Any) -> Any:
        return _line_ends(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.disabled and _line_ends(initial or "") != _line_ends(data or "")


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def widget_for(key: ConfigKey[Any]) -> forms.Widget:
    value_type: ValueType[Any] = key.value_type
    if isinstance(value_type, Bool):
        return forms.Select(choices=[("true", _("yes")), ("false", _("no"))])
    if isinstance(value_type, Items):
        return forms.Textarea(attrs={"rows": 3, "cols": 60})
    if type(value_type) not in _STEPS:
        return forms.TextInput(attrs={"class": "vTextField"})
    attrs = {"step": _STEPS[type(value_type)]}
    if key.limits:
        attrs |= {"min": key.value_type.format(key.limits[0]), "max": key.value_type.format(key.limits[1])}
    return forms.NumberInput(attrs=attrs)


def _described(key: ConfigKey[Any]) -> str:
    limits = [str(key.value_type.limits_text(key.limits))] if key.limits else []
    default = _("default %(value)s") % {"value": key.format(key.default)}
    allowed = capfirst("; ".join([*limits, default]))
    return escape(f"{key.help} {allowed}.")  # the admin's template marks it safe


class SystemConfigForm(forms.ModelForm[SystemConfig]):
    """Add any key as plain text; change a registered key within its limits and rules.

    The form carries the row as it was when the form was opened. If the row has changed since, nothing is
    saved: `conflict` describes the change, and submitting the form again overwrites the values that it now
    shows.
    """

    conflict: Conflict | None = None

    class Meta:
        model = SystemConfig
        fields = ("key", "value", "description")
        field_classes: ClassVar[dict[str, type[forms.Field]]] = {"value": PlainTextField}
        widgets = {name: forms.Textarea(attrs={"rows": 3, "cols": 60}) for name in ("value", "description")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = registry.find(self.instance.key)
        if key is not None and "value" in self.fields:
            field = ConfigValueField(key, self.instance.value)
            self.fields["value"] = field
            self.initial["value"] = field.initial
        self.base = FormBase.read(self.data.get("base", "")) if self.is_bound else FormBase.of(self.instance)

    def clean_value(self) -> str:
        """Keep the stored text of an unchanged value exactly, with its blanks."""
        sent: str = self.cleaned_data["value"]
        return sent if "value" in self.changed_data else self.initial.get("value", sent)

    @property
    def last_changes(self) -> list[cells.ChangeRow]:
        key = self.base.key if self.base else self.instance.key
        return [cells.row(change) for change in SystemConfigChange.objects.of(key)[:_LAST]]

    def clean(self) -> dict[str, Any] | None:
        """Reject an edit conflict; the row stays locked until the transaction ends."""
        cleaned = super().clean()
        if self.instance.pk is not None:
            self._compare(self.instance.key)
        return cleaned

    def _compare(self, key: str) -> None:
        alias = router.db_for_write(SystemConfig, instance=self.instance)
        row = SystemConfig.objects.locked({key}, alias).get(key)
        if row is None or row.pk != self.instance.pk:
            raise ValidationError(_("This setting was deleted or renamed meanwhile. Nothing was saved."))
        self.conflict = find_conflict(self.base, row)
        if self.conflict:
            self.base = self.conflict.stored
            raise ValidationError(_("Nothing was saved: this setting changed meanwhile."))
