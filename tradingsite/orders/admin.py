"""Orders, to be read: they change by what the exchange says, not by hand."""

from django.contrib import admin

from tradingsite.marketdata.admin import RecordAdmin
from tradingsite.orders.models import Order


@admin.register(Order)
class OrderAdmin(RecordAdmin[Order]):
    """Every intent, newest first."""

    list_display = (
        "created_at",
        "market",
        "side",
        "ord_type",
        "state",
        "executed_volume",
        "executed_funds",
        "paid_fee",
        "identifier",
    )
    list_filter = ("state", "side", "market")
    list_select_related = ("signal",)
    search_fields = ("=identifier", "=uuid")
    ordering = ("-created_at",)
