"""Read-only admin pages of orders, account readings and positions.

Only the exchange's reports change orders.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from healthcheck.admin_bases import ReadOnlyAdmin
from tradingsite.orders.models import AccountReading, Order, OrderState, SyncRound, TradingDay
from tradingsite.orders.pages.order_chain import chain
from tradingsite.orders.portfolio.position_rows import position_rows


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin[Order]):
    """Every order, newest first. The page of one shows everything from the signal's inputs to the fills."""

    list_display = (
        "created_at",
        "market",
        "side",
        "state",
        "reason",
        "funds",
        "executed_volume",
        "executed_funds",
        "paid_fee",
        "signal_link",
        "identifier",
    )
    list_filter = ("state", "side", "cause", "market")
    list_select_related = ("signal",)
    search_fields = ("=identifier", "=uuid")
    ordering = ("-created_at",)
    actions = ("acknowledge",)
    readonly_fields = ("signal_link",)
    exclude = ("signal", "checks", "clamps")  # shown as links and tables

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.positions_view)
        return [path("positions/", page, name="orders_positions"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add the order's history to the template context. Django handles an unknown id."""
        order = self.get_object(request, object_id)
        context = chain(order) if order and self.has_view_permission(request, order) else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def positions_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": gettext("Positions")}
        return TemplateResponse(
            request, "admin/orders/positions.html", {**page, **position_rows(timezone.now())}
        )

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.change_order")

    @admin.display(description=_("signal"), ordering="signal")
    def signal_link(self, order: Order) -> str:
        if order.signal is None:
            return order.get_cause_display()
        url = reverse("admin:strategy_tradingsignal_change", args=[order.signal.pk])
        return format_html('<a href="{}">{}</a>', url, order.signal)

    @admin.action(description=_("Acknowledge lost orders"), permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Clear the health warning.

        The order stays LOST, and a later report of the exchange can still change it.
        """
        name = request.user.get_username()
        count = 0
        for order in queryset.filter(state=OrderState.LOST, acknowledged_at=None):
            unacknowledged = Order.objects.filter(pk=order.pk, state=OrderState.LOST, acknowledged_at=None)
            if unacknowledged.update(acknowledged_at=Now(), acknowledged_by=name):
                self.log_change(request, order, gettext("Acknowledged."))
                count += 1
        text = ngettext("%(count)d lost order acknowledged.", "%(count)d lost orders acknowledged.", count)
        self.message_user(request, text % {"count": count})


@admin.register(AccountReading)
class AccountReadingAdmin(ReadOnlyAdmin[AccountReading]):
    list_display = ("read_at", "equity", "krw_free", "krw_locked", "coins", "unexplained")
    ordering = ("-read_at",)


@admin.register(TradingDay)
class TradingDayAdmin(ReadOnlyAdmin[TradingDay]):
    list_display = ("day", "base_equity", "base_result", "based_at")
    ordering = ("-day",)


@admin.register(SyncRound)
class SyncRoundAdmin(ReadOnlyAdmin[SyncRound]):
    list_display = ("at", "looked", "resolved", "found")
    ordering = ("-at",)

    @admin.display(description=_("not ours"))
    def found(self, sync_round: SyncRound) -> str:
        return "; ".join(activity["text"] for activity in sync_round.strangers)
