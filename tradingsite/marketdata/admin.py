"""Read-only lists. Prices are on the status page: Django's admin lists no table with a two-column key."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from tradingsite.marketdata.models import Poll

M = TypeVar("M", bound=Model)


class RecordAdmin(admin.ModelAdmin[M]):
    """Rows that the program writes and people only read."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


@admin.register(Poll)
class PollAdmin(RecordAdmin[Poll]):
    list_display = ("polled_at", "markets")
    ordering = ("-polled_at",)
