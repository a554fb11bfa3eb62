"""Runtime settings in admin: grouped, typed, limited, and with a history that says what was there before."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from sysconfig import registry
from sysconfig.forms import SystemConfigForm
from sysconfig.models import SystemConfig
from sysconfig.registry import InvalidConfigValue, UnreadableConfig

_SHOWN = 120  # characters of a value in the list; the form shows all


def _groups() -> list[StrOrPromise]:
    return list(dict.fromkeys(key.group for key in registry.registered()))


class GroupFilter(admin.SimpleListFilter):
    """Shows one group of keys, or those that are not registered."""

    title = _("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [
            *((str(number), group) for number, group in enumerate(_groups())),
            ("none", _("not registered")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SystemConfig]) -> QuerySet[SystemConfig]:
        chosen = dict(self.lookup_choices).get(str(self.value()))
        if chosen is None:
            return queryset
        if self.value() == "none":
            return queryset.exclude(key__in=[key.name for key in registry.registered()])
        return queryset.filter(key__in=[key.name for key in registry.registered() if key.group == chosen])


@admin.register(SystemConfig)
class SystemConfigAdmin(admin.ModelAdmin[SystemConfig]):
    """A registered row can be changed and reset; it can't be renamed or deleted."""

    form = SystemConfigForm
    list_display = ("group", "key", "shown_value", "unit", "default", "changed")
    list_display_links = ("key",)
    list_filter = (GroupFilter,)
    list_per_page = 200
    search_fields = ("key", "value", "description")
    actions = ("reset_to_default",)
    readonly_fields = ("created_at", "updated_at")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Order rows as their keys were registered, group by group; the rest by name."""
        groups = _groups()
        keys = sorted(registry.registered(), key=lambda key: groups.index(key.group))
        places = [When(key=key.name, then=Value(place)) for place, key in enumerate(keys)]
        return [Case(*places, default=Value(len(places)), output_field=IntegerField()), "key"]

    def get_fields(self, request: HttpRequest, obj: SystemConfig | None = None) -> Any:
        fields = ["key", "value", "description"]
        return [*(["group"] if obj else []), *fields, *(self.readonly_fields if obj else ())]

    def get_readonly_fields(self, request: HttpRequest, obj: SystemConfig | None = None) -> list[str]:
        fixed = ["group", *self.readonly_fields]
        return ["key", *fixed] if obj and registry.find(obj.key) else fixed

    @admin.display(description=_("group"))
    def group(self, row: SystemConfig) -> StrOrPromise:
        key = registry.find(row.key)
        return key.group if key else _("not registered")

    @admin.display(description=_("value"), ordering="value")
    def shown_value(self, row: SystemConfig) -> str:
        key = registry.find(row.key)
        try:
            shown = key.format(key.read(row.value)) if key else row.value
        except UnreadableConfig as unreadable:
            shown = gettext("%(value)s: unreadable, %(rule)s") % {"value": row.value, "rule": unreadable.rule}
        return Truncator(shown).chars(_SHOWN)

    @admin.display(description=_("unit"))
    def unit(self, row: SystemConfig) -> StrOrPromise:
        key = registry.find(row.key)
        return key.unit if key else ""

    @admin.display(description=_("default"))
    def default(self, row: SystemConfig) -> str:
        key = registry.find(row.key)
        return key.format(key.default) if key else ""

    @admin.display(description=_("changed at"), ordering="updated_at")
    def changed(self, row: SystemConfig) -> str:
        return f"{row.updated_at:%Y-%m-%d %H:%M} UTC"  # short enough for the column

    def has_delete_permission(self, request: HttpRequest, obj: SystemConfig | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and registry.find(obj.key))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Name the registered rows among `objs` as protected: the page then offers no deletion."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        kept = [str(row) for row in objs if registry.find(row.key)]
        if kept and self.has_delete_permission(request):
            needed = set()  # it is not for want of a permission
        return found, counts, needed, [*protected, *kept]

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """Write old → new into the history, where Django would write only the field's name."""
        message = super().construct_change_message(request, form, formsets, add)
        if add or "value" not in form.changed_data:
            return message
        others = form.changed_data[:]
        others.remove("value")
        fields = [_old_to_new(form.instance), *(form.fields[name].label.lower() for name in others)]
        return [{"changed": {"fields": fields}}]

    @admin.action(description=_("Reset to default"), permissions=["change"])
    def reset_to_default(self, request: HttpRequest, queryset: QuerySet[SystemConfig]) -> None:
        """Give the chosen registered rows their defaults: all of them or, when a rule forbids it, none."""
        keys = [key for row in queryset if (key := registry.find(row.key))]
        try:
            with transaction.atomic():
                rows = SystemConfig.objects.set_values({key.name: key.default for key in keys})
                changed = [row for row in rows if row.replaced != row.value]
                for row in changed:
                    fields = [_old_to_new(row), gettext_noop("reset to default")]
                    self.log_change(request, row, [{"changed": {"fields": fields}}])
        except InvalidConfigValue as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return
        done = ngettext(
            "%(count)d setting reset to its default.",
            "%(count)d settings reset to their defaults.",
            len(changed),
        )
        self.message_user(request, done % {"count": len(changed)}, messages.SUCCESS)


def _old_to_new(row: SystemConfig) -> str:
    return f"{row.replaced} → {row.value}"
