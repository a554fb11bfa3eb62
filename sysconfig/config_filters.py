"""What narrows the list of runtime settings."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from sysconfig import registry
from sysconfig.admin_pages.changelist import differs, groups
from sysconfig.models import SystemConfig


class GroupFilter(admin.SimpleListFilter):
    """Shows one group of keys, or those that are not registered."""

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


class StandingFilter(admin.SimpleListFilter):
    """Shows the rows that an operator looks for: those that are not as they were delivered."""

    title = _("value")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [("differs", _("differs from the default")), ("unusable", _("unusable"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "differs":
            return queryset.filter(pk__in=[row.pk for row in queryset if differs(row)])
        return queryset.exclude(problem="") if self.value() == "unusable" else queryset


class ChangedFilter(admin.SimpleListFilter):
    """Shows the rows whose value changed lately."""

    title = _("last change")
    parameter_name = "changed"
    _spans = {"day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [("day", _("in the last 24 hours")), ("week", _("in the last 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        span = self._spans.get(str(self.value()))
        return queryset.filter(value_changed_at__gte=timezone.now() - span) if span else queryset
