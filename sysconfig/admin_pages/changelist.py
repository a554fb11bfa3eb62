"""The list of runtime settings in admin: its columns, its filters, and the query behind them."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.contrib import admin
from django.db.models import Case, CharField, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise, WithAnnotations

from sysconfig import registry
from sysconfig.admin_pages import cells
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.moments import ago_html
from sysconfig.snapshot import problems


class Facts(TypedDict):
    """The annotations that `listed` adds to each row."""

    value_changed_at: datetime
    value_changed_by: str | None
    value_changed_through: str | None
    problem: str


if TYPE_CHECKING:
    Listed = WithAnnotations[SystemConfig, Facts]


def listed(rows: QuerySet[SystemConfig]) -> QuerySet[Any]:
    """Annotate each row with the last change of its value, and with the reason if it cannot be used."""
    last = SystemConfigChange.objects.filter(key=OuterRef("key")).order_by("-id")
    texts = dict(SystemConfig.objects.values_list("key", "value"))
    cases = [When(key=key, then=Value(why)) for key, why in problems(texts).items()]
    return rows.annotate(
        value_changed_at=Coalesce(Subquery(last.values("at")[:1]), F("updated_at")),
        value_changed_by=Subquery(last.values("actor")[:1]),
        value_changed_through=Subquery(last.values("source")[:1]),
        problem=Case(*cases, default=Value(""), output_field=CharField()),
    )


def groups() -> list[StrOrPromise]:
    return list(dict.fromkeys(key.group for key in registry.registered()))


class Columns:
    @admin.display(description=_("group"))
    def group(self, row: SystemConfig) -> StrOrPromise:
        key = registry.find(row.key)
        return key.group if key else _("not registered")

    @admin.display(description=_("value"), ordering="value")
    def shown_value(self, row: "Listed") -> SafeString:
        if row.problem:
            mark = '{} <strong class="problem">{}</strong>'
            return format_html(mark, cells.short(row.value), gettext("unusable: %s") % row.problem)
        changed = "value changed" if row.differs_from_default else "value"
        return format_html('<span class="{}">{}</span>', changed, cells.short(row.value))

    @admin.display(description=_("unit"), empty_value="")
    def unit(self, row: SystemConfig) -> StrOrPromise:
        key = registry.find(row.key)
        return key.unit if key else ""

    @admin.display(description=_("default"), empty_value="")
    def default(self, row: SystemConfig) -> SafeString | str:
        key = registry.find(row.key)
        if key is None:
            return ""
        text = '<span class="label">{}</span> {}'
        if row.differs_from_default:
            mark = gettext("differs")  # makemessages does not find it inside the f-string
            text += f' <span class="differs">{mark}</span>'
        return format_html(text, gettext("default"), cells.short(key.format(key.default)))

    @admin.display(description=_("changed"), ordering="value_changed_at")
    def changed(self, row: "Listed") -> SafeString:
        when = ago_html(row.value_changed_at)
        if row.value_changed_through is None:
            return when
        who = '{} <span class="by">{} {}</span>'
        return format_html(who, when, row.value_changed_by, cells.source(row.value_changed_through))


class GroupFilter(admin.SimpleListFilter):
    title = _("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [
            *((str(number), group) for number, group in enumerate(groups())),
            ("none", _("not registered")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SystemConfig]) -> QuerySet[SystemConfig]:
        chosen = dict(self.lookup_choices).get(str(self.value()))
        if chosen is None:
            return queryset
        if self.value() == "none":
            return queryset.exclude(key__in=[key.name for key in registry.registered()])
        return queryset.filter(key__in=[key.name for key in registry.registered() if key.group == chosen])


class ValueStateFilter(admin.SimpleListFilter):
    title = _("value")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [("differs", _("differs from the default")), ("unusable", _("unusable"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "differs":
            return queryset.filter(pk__in=[row.pk for row in queryset if row.differs_from_default])
        return queryset.exclude(problem="") if self.value() == "unusable" else queryset


class ChangedFilter(admin.SimpleListFilter):
    title = _("last change")
    parameter_name = "changed"
    _spans = {"day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [("day", _("in the last 24 hours")), ("week", _("in the last 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        span = self._spans.get(str(self.value()))
        return queryset.filter(value_changed_at__gte=timezone.now() - span) if span else queryset
