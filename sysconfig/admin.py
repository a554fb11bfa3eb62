"""Django admin for runtime settings: it checks every change, and never overwrites that of another user."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from sysconfig import registry
from sysconfig.admin_pages import confirmation, processes
from sysconfig.admin_pages.changelist import (
    ChangedFilter,
    Columns,
    GroupFilter,
    ValueStateFilter,
    groups,
    listed,
)
from sysconfig.admin_pages.confirmation import Unconfirmed
from sysconfig.admin_pages.forms import SystemConfigForm
from sysconfig.admin_pages.history import SystemConfigChangeAdmin, history_of
from sysconfig.authorship import as_operator
from sysconfig.change_plan import Step
from sysconfig.models import SystemConfig
from sysconfig.registry import ChangeRefused

__all__ = ["SystemConfigAdmin", "SystemConfigChangeAdmin"]


@admin.register(SystemConfig)
class SystemConfigAdmin(Columns, admin.ModelAdmin[SystemConfig]):
    """Registered settings can be changed and reset to their defaults, but not renamed or deleted."""

    form = SystemConfigForm
    list_display = ("group", "key", "shown_value", "unit", "default", "changed")
    list_display_links = ("key",)
    list_filter = (GroupFilter, ValueStateFilter, ChangedFilter)
    list_per_page = 200
    search_fields = ("key", "value", "description")
    actions = ("reset_to_default",)
    readonly_fields = ("created_at", "updated_at")

    class Media:
        css = {"all": ["sysconfig/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.processes_view)
        return [path("processes/", page, name="sysconfig_processes"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SystemConfig]:
        return listed(super().get_queryset(request))

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Order by group, then as the keys were registered; unregistered keys last, by name."""
        names = groups()
        keys = sorted(registry.registered(), key=lambda key: names.index(key.group))
        places = [When(key=key.name, then=Value(place)) for place, key in enumerate(keys)]
        return [Case(*places, default=Value(len(places)), output_field=IntegerField()), "key"]

    def get_fields(self, request: HttpRequest, obj: SystemConfig | None = None) -> Any:
        fields = ["key", "value", "description"]
        return [*(["group"] if obj else []), *fields, *(self.readonly_fields if obj else ())]

    def get_readonly_fields(self, request: HttpRequest, obj: SystemConfig | None = None) -> list[str]:
        fixed = ["group", *self.readonly_fields]
        return ["key", *fixed] if obj and registry.find(obj.key) else fixed

    def has_delete_permission(self, request: HttpRequest, obj: SystemConfig | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and registry.find(obj.key))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """List registered rows as protected, so that the page offers no deletion."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        kept = [str(row) for row in objs if registry.find(row.key)]
        if kept and self.has_delete_permission(request):
            needed = set()  # no permission allows it
        return found, counts, needed, [*protected, *kept]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        with as_operator(request):
            return super().changelist_view(request, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        with as_operator(request):
            return super().delete_view(request, object_id, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Save the form. A change that raises the risk is rolled back until it is confirmed."""
        try:
            with as_operator(request):
                return super().changeform_view(request, object_id, form_url, extra_context)
        except Unconfirmed as unconfirmed:
            return self._confirmation(request, unconfirmed)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the history written by triggers. Unlike Django's log it includes changes made elsewhere."""
        row = self.get_object(request, unquote(object_id))
        shown = history_of(row, request.GET.get(PAGE_VAR, "1")) if row else {}
        may = self.has_change_permission(request, row)
        context = {**shown, "may_revert": may, **(extra_context or {})}
        return super().history_view(request, object_id, context)

    def processes_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, **processes.context()}
        return TemplateResponse(request, "admin/sysconfig/processes.html", context)

    def save_model(self, request: HttpRequest, obj: SystemConfig, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Save. Raises Unconfirmed, which rolls back, if the change raises the risk and is not confirmed."""
        super().save_model(request, obj, form, change)
        # After a rename the old value belongs to the old key, so there is nothing to compare with.
        old = obj.replaced if obj.key in obj.stale_keys else None
        step = Step(obj.key, old, obj.value)
        if step.raises_risk:
            confirmation.require(request, [step])

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """Write old → new into Django's log, which otherwise holds only the field's name."""
        message = super().construct_change_message(request, form, formsets, add)
        if add or "value" not in form.changed_data:
            return message
        others = form.changed_data[:]
        others.remove("value")
        fields = [_old_to_new(form.instance), *(form.fields[name].label.lower() for name in others)]
        return [{"changed": {"fields": fields}}]

    @admin.action(description=_("Reset to default"), permissions=["change"])
    def reset_to_default(self, request: HttpRequest, queryset: QuerySet[SystemConfig]) -> HttpResponse | None:
        """Reset the selected registered settings: all of them or, if a rule forbids one, none."""
        try:
            changed = self._reset(request, [key for row in queryset if (key := registry.find(row.key))])
        except ChangeRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return None
        except Unconfirmed as unconfirmed:
            return self._confirmation(request, unconfirmed)
        done = ngettext(
            "%(count)d setting reset to its default.", "%(count)d settings reset to their defaults.", changed
        )
        self.message_user(request, done % {"count": changed}, messages.SUCCESS)
        return None

    def _reset(self, request: HttpRequest, keys: list[registry.ConfigKey[Any]]) -> int:
        with transaction.atomic(using=router.db_for_write(SystemConfig)):
            rows = SystemConfig.objects.set_values({key.name: key.default for key in keys})
            changed = [row for row in rows if row.replaced != row.value]
            if changed:
                confirmation.require(request, [Step(row.key, row.replaced, row.value) for row in changed])
            for row in changed:
                fields = [_old_to_new(row), gettext_noop("reset to default")]
                self.log_change(request, row, [{"changed": {"fields": fields}}])
        return len(changed)

    def _confirmation(self, request: HttpRequest, unconfirmed: Unconfirmed) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        context |= {"title": gettext("Confirm the change"), "back": request.get_full_path()}
        return confirmation.page(request, unconfirmed.steps, context)


def _old_to_new(row: SystemConfig) -> str:
    return f"{row.replaced} → {row.value}"
