"""Admin pages of the history: the list of all changes, and one setting's changes with revert buttons."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sysconfig.admin_pages import cells
from sysconfig.admin_pages.revert import revert_view
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.moments import utc_html

PER_PAGE = 50


class DateFilter(admin.DateFieldListFilter):
    """Django's filter with its own title."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = _("date")


@admin.register(SystemConfigChange)
class SystemConfigChangeAdmin(admin.ModelAdmin[SystemConfigChange]):
    """Every change of every key, newest first. Read-only, for everybody who may see the settings."""

    list_display = ("when", "of", "change", "who", "revert")
    list_filter = (("at", DateFilter), "source", "key", "actor")
    list_per_page = PER_PAGE
    search_fields = ("key", "old_key", "old_value", "new_value", "actor", "origin")
    show_full_result_count = False
    actions = None

    class Media:
        css = {"all": ["sysconfig/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        def revert(request: HttpRequest, change_id: int) -> HttpResponse:
            return revert_view(self.admin_site, request, change_id)

        page = self.admin_site.admin_view(revert)
        return [path("<int:change_id>/revert/", page, name="sysconfig_revert"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {"title": gettext("History of all keys"), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_list_display(self, request: HttpRequest) -> Any:
        may = request.user.has_perm("sysconfig.change_systemconfig")
        return self.list_display if may else [name for name in self.list_display if name != "revert"]

    def has_view_permission(self, request: HttpRequest, obj: SystemConfigChange | None = None) -> bool:
        return any(request.user.has_perm(f"sysconfig.{may}_systemconfig") for may in ("view", "change"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SystemConfigChange | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SystemConfigChange | None = None) -> bool:
        return False

    @admin.display(description=_("when"), ordering="id")
    def when(self, change: SystemConfigChange) -> SafeString:
        return utc_html(change.at)

    @admin.display(description=_("key"), ordering="key")
    def of(self, change: SystemConfigChange) -> SafeString:
        url = reverse("admin:sysconfig_systemconfigchange_changelist", query={"key": change.key})
        return format_html('<a href="{}">{}</a>', url, change.key)

    @admin.display(description=_("old → new"))
    def change(self, change: SystemConfigChange) -> SafeString:
        return cells.old_to_new(change)

    @admin.display(description=_("who"), ordering="actor")
    def who(self, change: SystemConfigChange) -> SafeString:
        text = '{} {} <span class="quiet">{}</span>'
        return format_html(text, change.actor, cells.source(change.source), change.origin)

    @admin.display(description=_("revert"))
    def revert(self, change: SystemConfigChange) -> SafeString:
        return revert_button(change)


def revert_button(change: SystemConfigChange) -> SafeString:
    """Return a button that submits the form around it to the revert page of `change`."""
    url = reverse("admin:sysconfig_revert", args=[change.pk])
    return format_html(
        '<button type="submit" class="revert" formaction="{}" aria-label="{}">{}</button>',
        url,
        gettext("Revert change %(number)s of %(key)s") % {"number": change.pk, "key": change.key},
        gettext("Revert"),
    )


def history_of(row: SystemConfig, page_number: str) -> dict[str, Any]:
    """Return the context of one setting's history page."""
    paginator = Paginator(SystemConfigChange.objects.of(row.key), PER_PAGE)
    page = paginator.get_page(page_number)
    return {
        "action_list": page,
        "rows": [(cells.row(change), revert_button(change)) for change in page],
        "page_range": paginator.get_elided_page_range(page.number),
        "pagination_required": paginator.num_pages > 1,
    }
