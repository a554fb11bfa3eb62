"""Base classes for admin pages of rows that people read, add or end, but never edit. Any app may use them."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=Model)


class AppendOnlyAdmin(admin.ModelAdmin[M]):
    """Rows that staff add, and that nobody edits or deletes."""

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class EndableAdmin(AppendOnlyAdmin[M]):
    """Rows that staff add and end. The change permission allows ending.

    A subclass sets `add_title`, the title of the form for a new row, and implements `end`.
    """

    add_title: Promise
    actions = ("end_now",)

    def end(self, row: M, by: str) -> bool:
        """End `row` now; return False if it had already ended."""
        raise NotImplementedError

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one save button only: staff add one row at a time."""
        once = {
            "title": self.add_title,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return super().add_view(request, form_url, {**once, **(extra_context or {})})

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")

    @admin.action(description=_("End the selected ones now"), permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: Any) -> None:
        by = request.user.get_username()
        ended = [row for row in queryset if self.end(row, by)]
        for row in ended:
            self.log_change(request, row, gettext("Ended."))
        self.say_ended(request, ended)

    def say_ended(self, request: HttpRequest, ended: Sequence[M]) -> None:
        text = ngettext("%(count)d ended.", "%(count)d ended.", len(ended)) % {"count": len(ended)}
        self.message_user(request, text)


class ReadOnlyAdmin(AppendOnlyAdmin[M]):
    """Rows that only the program writes."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
