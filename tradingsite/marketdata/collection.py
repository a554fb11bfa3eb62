"""Collects the current price of every configured market and stores it, for the job `collect_market_data`.

Rules: docs/market-data.md M1-M4.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import structlog
from django.db import connection, transaction

from healthcheck.templatetags.moments import iso
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import Rejected

logger = structlog.get_logger(__name__)

POLL_INTERVAL = timedelta(seconds=10)
FETCH_WITHIN_S = 8.0
"""For all requests of one collection together, because the next one starts after ten seconds."""

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the exchange's trade time may be ahead of our clock; Upbit's clock is well within that."""

MIN_PRICE, PRICE_LIMIT = Decimal("1e-8"), Decimal("1e12")
"""Limits of the database column. Upbit's prices are between 0.00000001 and a few hundred million."""


class TickerLike(Protocol):
    @property
    def market(self) -> str: ...
    @property
    def trade_price(self) -> Decimal: ...
    @property
    def trade_timestamp(self) -> datetime: ...


class MarketLike(Protocol):
    @property
    def market(self) -> str: ...


class TickerSource(Protocol):
    """The two calls needed from `UpbitClient`."""

    def tickers(self, markets: Sequence[str], *, within_s: float) -> Sequence[TickerLike]: ...
    def markets(self, *, within_s: float) -> Sequence[MarketLike]: ...


def collect(client: TickerSource, markets: Sequence[str], at: datetime) -> Mapping[str, int]:
    """Store the last price of each of `markets` as seen at `at`.

    Repeating a call with the same time changes nothing.

    Returns counts: `markets` requested; `stored` new prices; `repeated` prices seen again; `missing` markets
    without an answer; `refused` implausible answers.

    Raises:
        Rejected: the exchange refuses the request, and not because of an unknown market.
        ClientError: no usable answer; nothing is stored.
    """
    answers = {answer.market: answer for answer in _fetch(client, markets)}
    missing = sorted(set(markets) - set(answers))
    plausible = [
        answers[market]
        for market in sorted(set(markets) - set(missing))
        if _is_plausible(answers[market], at)
    ]
    if missing:
        logger.warning("collect.missing", markets=missing)
    new = _store(plausible, at)
    return {
        "markets": len(markets),
        "stored": new,
        "repeated": len(plausible) - new,
        "missing": len(missing),
        "refused": len(markets) - len(missing) - len(plausible),
    }


def _fetch(client: TickerSource, markets: Sequence[str]) -> Sequence[TickerLike]:
    """Return the tickers, with one request, or with three if a configured market does not exist.

    Upbit refuses the whole request for one unknown code and does not say which. The other markets still need
    their prices: without them buys stop, and the stop-loss cannot act.
    """
    deadline = Deadline(FETCH_WITHIN_S)
    try:
        return client.tickers(markets, within_s=deadline.left_s())
    except Rejected as refusal:
        if refusal.status != 404:
            raise
        listed = {listing.market for listing in client.markets(within_s=deadline.left_s())}
        known = [market for market in markets if market in listed]
        if len(known) == len(markets):
            raise
        logger.warning("collect.unknown_markets", markets=sorted(set(markets) - listed))
        return client.tickers(known, within_s=deadline.left_s()) if known else []


def _is_plausible(answer: TickerLike, at: datetime) -> bool:
    if MIN_PRICE <= answer.trade_price < PRICE_LIMIT and answer.trade_timestamp <= at + CLOCK_TOLERANCE:
        return True
    logger.warning(
        "collect.refused",
        market=answer.market,
        price=str(answer.trade_price),
        traded_at=iso(answer.trade_timestamp),
    )
    return False


def _store(answers: Collection[TickerLike], at: datetime) -> int:
    """Store prices and poll in one transaction; return how many prices are new.

    `answers` are sorted, which avoids deadlocks.
    """
    facts: dict[str, Any] = {
        "at": at,
        "markets": [answer.market for answer in answers],
        "traded_at": [answer.trade_timestamp for answer in answers],
        "prices": [answer.trade_price for answer in answers],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UPSERT_TICKERS, facts)
        new = sum(bool(is_new) for (is_new,) in cursor.fetchall())
        cursor.execute(_UPSERT_POLL, facts)
    return new


# One statement for all markets: per-row writes are what makes storing slow. If two trades share a time, the
# later poll decides the price.
_UPSERT_TICKERS = """
INSERT INTO ticker AS known (market, traded_at, price, first_seen_at, last_seen_at)
SELECT market, traded_at, price, %(at)s, %(at)s
FROM unnest(%(markets)s::text[], %(traded_at)s::timestamptz[], %(prices)s::numeric[])
    AS seen (market, traded_at, price)
ON CONFLICT (market, traded_at) DO UPDATE SET
    price = CASE WHEN excluded.last_seen_at >= known.last_seen_at THEN excluded.price ELSE known.price END,
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)
RETURNING first_seen_at = %(at)s
"""
_UPSERT_POLL = """
INSERT INTO poll AS known (polled_at, markets) VALUES (%(at)s, %(markets)s::text[])
ON CONFLICT (polled_at) DO UPDATE SET
    markets = ARRAY(SELECT DISTINCT unnest(known.markets || excluded.markets) ORDER BY 1)
"""
