"""Admin list of the price polls.

Prices are not listed: Django's admin cannot show a table with a composite key.
"""

from django.contrib import admin

from healthcheck.admin_bases import ReadOnlyAdmin
from tradingsite.marketdata.models import Poll


@admin.register(Poll)
class PollAdmin(ReadOnlyAdmin[Poll]):
    list_display = ("polled_at", "markets")
    ordering = ("-polled_at",)
