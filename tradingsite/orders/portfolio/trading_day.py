"""What a day in Korea has won or lost, measured from its first evaluation on (P7)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradingsite.korean_day import day_of
from tradingsite.orders.models import TradingDay


@dataclass(frozen=True, slots=True)
class DayInputs:
    """What is measured, at the last prices, in won.

    Attributes:
        equity: all that the account holds, of coins only our own.
        result: what all trading has won or lost until now, realised and unrealised, by our own fills.
    """

    equity: Decimal
    result: Decimal


@dataclass(frozen=True, slots=True)
class DayResult:
    """The equity at the day's first evaluation, and what trading has won or lost since."""

    base: Decimal
    result: Decimal


def measure(now: DayInputs, at: datetime) -> DayResult:
    """Return the day's base and result; the first evaluation of a day in Korea becomes its base.

    Of two that are first at the same moment one is stored, and both use that one.
    """
    today = day_of(at)
    first = TradingDay(day=today, base_equity=now.equity, base_result=now.result, based_at=at)
    TradingDay.objects.bulk_create([first], ignore_conflicts=True)
    base = TradingDay.objects.get(day=today)
    if base.base_result is None:
        return DayResult(base.base_equity, now.equity - base.base_equity)
    # By our own fills: a deposit must not hide a loss, nor a withdrawal look like one.
    return DayResult(base.base_equity, now.result - base.base_result)
