"""Read-only admin pages of signals and model calls."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from healthcheck.admin_bases import ReadOnlyAdmin
from tradingsite.korean_day import start_of_day
from tradingsite.strategy.models import ModelCall, SignalOutcome, TradingSignal


def _outcome(after: SignalOutcome.After) -> Any:
    @admin.display(description=after.label)
    def move(_admin: "TradingSignalAdmin", signal: TradingSignal) -> str:
        found = next((each for each in signal.outcomes.all() if each.after_min == after), None)
        if found is None:
            return ""
        return "?" if found.move_pct is None else f"{found.move_pct:+.2f} %"

    return move


class OutcomeInline(admin.TabularInline[SignalOutcome, TradingSignal]):
    model = SignalOutcome
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: TradingSignal | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TradingSignal | None = None) -> bool:
        return False


@admin.register(TradingSignal)
class TradingSignalAdmin(ReadOnlyAdmin[TradingSignal]):
    list_display = (
        "tick",
        "market",
        "decision",
        "confidence",
        "price",
        "reason_code",
        "model_answered",
        "after_half_hour",
        "after_four_hours",
        "after_day",
        "order_link",
    )
    list_filter = ("decision", "market", "reason_code")
    list_select_related = ("order",)
    ordering = ("-created_at",)
    inlines = (OutcomeInline,)
    readonly_fields = ("call_link", "order_link", "prompt", "answer")

    after_half_hour = _outcome(SignalOutcome.After.HALF_HOUR)
    after_four_hours = _outcome(SignalOutcome.After.FOUR_HOURS)
    after_day = _outcome(SignalOutcome.After.DAY)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TradingSignal]:
        return super().get_queryset(request).prefetch_related("outcomes")

    @admin.display(description=_("order"))
    def order_link(self, signal: TradingSignal) -> str:
        # Layers: this app may not import orders, so it links to the order's page by URL name.
        order = getattr(signal, "order", None)
        if order is None:
            return ""
        url = reverse("admin:orders_order_change", args=[order.pk])
        return format_html('<a href="{}">{}</a>', url, order.get_state_display())

    @admin.display(description=_("model call"))
    def call_link(self, signal: TradingSignal) -> str:
        if signal.call is None:
            return ""
        url = reverse("admin:strategy_modelcall_change", args=[signal.call.pk])
        return format_html('<a href="{}">{}</a>', url, signal.call)

    @admin.display(description=_("prompt"))
    def prompt(self, signal: TradingSignal) -> str:
        return signal.call.prompt if signal.call else ""

    @admin.display(description=_("answer"))
    def answer(self, signal: TradingSignal) -> str:
        return signal.call.response if signal.call else ""


@admin.register(ModelCall)
class ModelCallAdmin(ReadOnlyAdmin[ModelCall]):
    list_display = (
        "started_at",
        "market",
        "model_answered",
        "error_kind",
        "prompt_tokens",
        "output_tokens",
        "thinking_tokens",
        "cost_usd",
        "latency_ms",
    )
    list_filter = ("error_kind", "market", "model_asked")
    ordering = ("-started_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelCall]:
        # A hundred rows of these texts are megabytes; the page of one call still loads them.
        return super().get_queryset(request).defer("instruction", "prompt", "response")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "subtitle": today()})


def today() -> str:
    """Return in the active language today's number of calls, failures, and their cost (Korean day)."""
    begin = start_of_day(timezone.now())
    calls = ModelCall.objects.started_between(begin, begin + timedelta(days=1))
    sums = calls.aggregate(
        made=Count("pk"), failed=Count("pk", filter=~Q(error_kind="")), cost=Sum("cost_usd", default=0)
    )
    return gettext("today in Korea: %(made)s calls, %(failed)s failed, %(cost)s USD") % {
        "made": sums["made"],
        "failed": sums["failed"],
        "cost": f"{sums['cost']:.4f}",
    }
