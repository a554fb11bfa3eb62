"""Reads prices, signals and fills of the last day for the charts, with three queries for all markets."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import connection
from django.urls import reverse

from tradingsite.orders.models import Fill
from tradingsite.orders.pages.chart import Chart, Kind, Mark, PriceSpan, chart
from tradingsite.strategy.models import TradingSignal

SPAN = timedelta(hours=24)
SLOTS = 144
"""The chart's time is divided into so many parts.

Lowest and highest price of each are drawn, so no peak is lost.
"""
MAX_PRICE_GAP = timedelta(minutes=3)
"""Longer gaps between two prices mean that no prices were collected, and break the line."""
MAX_MARKS = 200


def charts(markets: Sequence[str], at: datetime) -> list[tuple[str, Chart | None]]:
    """Return each market with the chart of the day before `at`, None without a price."""
    spans, marks = _spans(markets, at), _marks(markets, at)
    return [(market, chart(market, spans[market], marks[market], at)) for market in markets]


def _spans(markets: Sequence[str], at: datetime) -> dict[str, list[PriceSpan]]:
    found: dict[str, list[PriceSpan]] = defaultdict(list)
    facts: dict[str, Any] = {
        "markets": list(markets),
        "at": at,
        "start": at - SPAN,
        "slots": SLOTS,
        "within": MAX_PRICE_GAP,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, facts)
        for market, *span in cursor.fetchall():
            found[market].append(PriceSpan(*span))
    return found


def _marks(markets: Sequence[str], at: datetime) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = defaultdict(list)
    signals = TradingSignal.objects.filter(market__in=markets, as_of__gt=at - SPAN, as_of__lte=at)
    for pk, market, decision, made_at, price in signals.order_by("-as_of").values_list(
        "pk", "market", "decision", "as_of", "price"
    )[:MAX_MARKS]:
        link = reverse("admin:strategy_tradingsignal_change", args=[pk])
        found[market].append(Mark(cast("Kind", decision), made_at, price, link=link))
    fills = Fill.objects.filter(order__market__in=markets, traded_at__gt=at - SPAN, traded_at__lte=at)
    for order, market, side, traded_at, price, volume in fills.order_by("-traded_at").values_list(
        "order", "order__market", "order__side", "traded_at", "price", "volume"
    )[:MAX_MARKS]:
        link = reverse("admin:orders_order_change", args=[order])
        found[market].append(Mark(cast("Kind", side), traded_at, price, volume, link))
    return found


# A price is current from the first to the last poll that saw it.
_SPANS = """
WITH seen AS (
    SELECT market, greatest(first_seen_at, %(start)s) AS since, least(last_seen_at, %(at)s) AS until, price,
           first_seen_at - lag(last_seen_at) OVER (PARTITION BY market ORDER BY traded_at) > %(within)s
           AS broken
    FROM ticker
    WHERE market = ANY(%(markets)s) AND last_seen_at > %(start)s AND first_seen_at <= %(at)s
), parts AS (
    SELECT *, count(*) FILTER (WHERE broken) OVER (PARTITION BY market ORDER BY since) AS part,
           date_bin(
               greatest((%(at)s::timestamptz - min(since) OVER (PARTITION BY market)) / %(slots)s, '1 s'),
               since, %(start)s
           ) AS slot
    FROM seen
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY market, part, slot ORDER BY price, since) AS low,
           row_number() OVER (PARTITION BY market, part, slot ORDER BY price DESC, since DESC) AS high,
           row_number() OVER (PARTITION BY market ORDER BY since DESC) AS newest
    FROM parts
)
SELECT market, since, until, price, part FROM ranked WHERE low = 1 OR high = 1 OR newest = 1
ORDER BY market, since
"""
