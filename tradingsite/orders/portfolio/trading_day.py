"""Measures the profit or loss of a Korean day since its first evaluation (docs/positions.md P7)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradingsite.korean_day import day_of
from tradingsite.orders.models import TradingDay


@dataclass(frozen=True, slots=True)
class DayInputs:
    """The measured values, at the last prices, in won.

    Attributes:
        equity: the account's won, and the coins of our own positions.
        result: profit or loss of all trading so far, realised and unrealised, from our own fills.
    """

    equity: Decimal
    result: Decimal


@dataclass(frozen=True, slots=True)
class DayResult:
    """The equity at the day's first evaluation, and the profit or loss since."""

    base: Decimal
    result: Decimal


def measure(now: DayInputs, at: datetime) -> DayResult:
    """Return the day's base and result; the first evaluation of a Korean day becomes its base.

    If two processes are first at the same time, one base is stored and both use it.
    """
    today = day_of(at)
    first = TradingDay(day=today, base_equity=now.equity, base_result=now.result, based_at=at)
    TradingDay.objects.bulk_create([first], ignore_conflicts=True)
    base = TradingDay.objects.get(day=today)
    if base.base_result is None:
        return DayResult(base.base_equity, now.equity - base.base_equity)
    # From our own fills, because a deposit must not hide a loss, nor a withdrawal look like one.
    return DayResult(base.base_equity, now.result - base.base_result)
