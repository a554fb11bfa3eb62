"""Signals, to be read."""

from django.contrib import admin

from tradingsite.marketdata.admin import RecordAdmin
from tradingsite.strategy.models import TradingSignal


@admin.register(TradingSignal)
class TradingSignalAdmin(RecordAdmin[TradingSignal]):
    """Every decision, newest first."""

    list_display = ("tick", "market", "decision", "confidence", "price", "reason_code", "model_answered")
    list_filter = ("decision", "market", "reason_code")
    ordering = ("-created_at",)
