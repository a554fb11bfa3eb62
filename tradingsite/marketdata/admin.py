"""Read-only lists. Prices are on the status page: Django's admin lists no table with a two-column key."""

from django.contrib import admin

from healthcheck.admin_bases import ReadOnlyAdmin
from tradingsite.marketdata.models import Poll


@admin.register(Poll)
class PollAdmin(ReadOnlyAdmin[Poll]):
    list_display = ("polled_at", "markets")
    ordering = ("-polled_at",)
