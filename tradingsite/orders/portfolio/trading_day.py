"""What a day in Korea has won or lost, measured from its first evaluation on (P7)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

from tradingsite.orders.models import TradingDay

_KOREA = timezone(timedelta(hours=9))  # no summer time since 1988


def day_of(at: datetime) -> date:
    """Return the day in Korea that `at` belongs to.

    >>> from datetime import UTC
    >>> day_of(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    datetime.date(2026, 1, 6)
    """
    return at.astimezone(_KOREA).date()


def start_of_day(at: datetime) -> datetime:
    """Return the 00:00 in Korea at or before `at`."""
    return datetime.combine(day_of(at), time(), _KOREA)


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
