"""The status page's panels of charts, orders, account and today's result (docs/positions.md P7)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from sysconfig.models import SystemConfig
from tradingsite.amounts import won_with_decimals
from tradingsite.korean_day import day_of
from tradingsite.orders.models import (
    ACTIVE_STATES,
    ENDED_STATES,
    AccountReading,
    Order,
    OrderState,
    TradingDay,
)
from tradingsite.orders.pages.chart import MARK_LABELS
from tradingsite.orders.pages.chart_data import charts
from tradingsite.orders.portfolio.position_rows import PositionRow, position_rows

OPEN_SHOWN = 12
ENDED_SHOWN = 5
_OPEN = [OrderState.PLANNED.value, *ACTIVE_STATES]
# Denied orders are shown with their signal.
_ENDED = [state for state in ENDED_STATES if state != OrderState.DENIED]


@dataclass(frozen=True, slots=True)
class Today:
    """The result of this Korean day at the last prices, as the risk gate computes it.

    Attributes:
        base: the equity at the day's first evaluation; None before that.
        result: None also if a position has no price.
        limit_pct: a loss of this share of `base` stops new buys.
    """

    base: Decimal | None
    result: Decimal | None
    limit_pct: Decimal

    @property
    def limit(self) -> Decimal | None:
        return None if self.base is None else -self.base * self.limit_pct / 100

    @property
    def reached(self) -> bool:
        return self.result is not None and self.limit is not None and self.result <= self.limit

    @property
    def shown_result(self) -> str:
        return "" if self.result is None else f"{'+' * (self.result > 0)}{won_with_decimals(self.result)}"

    @property
    def result_pct(self) -> str:
        return "" if not self.base or self.result is None else f"{self.result * 100 / self.base:+.2f}"

    @property
    def shown_limit(self) -> str:
        return "" if self.limit is None else won_with_decimals(self.limit)


def chart() -> dict[str, object]:
    """Return each traded market with its chart, None without a price; three queries for all."""
    found = charts(SystemConfig.objects.get_value("trading_markets"), timezone.now())
    return {"charts": found, "legend": list(MARK_LABELS.items())}


def orders() -> dict[str, object]:
    """Return the active orders, oldest first, and the last ended ones that were sent; two queries.

    `more` is True if not all active ones are shown.
    """
    found = list(Order.objects.filter(state__in=_OPEN).order_by("created_at")[: OPEN_SHOWN + 1])
    ended = Order.objects.filter(state__in=_ENDED).order_by("-created_at")
    return {
        "open": found[:OPEN_SHOWN],
        "more": len(found) > OPEN_SHOWN,
        "ended": list(ended[:ENDED_SHOWN]),
        "now": timezone.now(),
    }


def account() -> dict[str, object]:
    """Return the last account reading, the positions at last prices, and today's result (four queries)."""
    at = timezone.now()
    valued = position_rows(at)
    reading = AccountReading.objects.order_by("read_at").last()
    return {**valued, "reading": reading, "today": today(valued["rows"], at), "now": at}


def today(rows: list[PositionRow], at: datetime) -> Today:
    """Return the result of the Korean day of `at` from valued positions; one query."""
    limit_pct = SystemConfig.objects.get_value("daily_loss_limit_pct")
    day = TradingDay.objects.filter(day=day_of(at)).first()
    if day is None:
        return Today(None, None, limit_pct)
    results = [_result(row) for row in rows]
    known = [result for result in results if result is not None]
    if day.base_result is None or len(known) < len(results):
        return Today(day.base_equity, None, limit_pct)
    return Today(day.base_equity, sum(known, Decimal(0)) - day.base_result, limit_pct)


def _result(row: PositionRow) -> Decimal | None:
    if not row.holding.volume:
        return row.holding.realised
    if row.window.price is None:
        return None
    return row.holding.realised + row.holding.unrealised(row.window.price)
