"""Price range of each market over the last five minutes, for the volatility halt and the status page.

Rules: docs/market-data.md M5, M6.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from django.db import connection
from django.utils.translation import gettext

from tradingsite.amounts import grouped
from tradingsite.marketdata.collection import POLL_INTERVAL

SPAN = timedelta(minutes=5)
POLLS_EXPECTED = SPAN // POLL_INTERVAL
POLLS_NEEDED = ceil(POLLS_EXPECTED * 0.8)
SEEN_LIMIT_S = 30
"""A price that no poll has confirmed for longer does not count as current."""


@dataclass(frozen=True, slots=True)
class Window:
    """The prices of one market during the `SPAN` that ends at `at`."""

    market: str
    at: datetime
    polls: int
    """Ten-second slots in which a poll returned this market, out of `POLLS_EXPECTED`."""
    low: Decimal | None = None
    high: Decimal | None = None
    price: Decimal | None = None
    """The last price ever seen, even if before this window."""
    seen_at: datetime | None = None

    @property
    def seen_age_s(self) -> int | None:
        """Seconds since the last poll that returned the market, rounded up."""
        return None if self.seen_at is None else max(0, ceil((self.at - self.seen_at).total_seconds()))

    @property
    def move_pct(self) -> Decimal | None:
        """The price range in per cent; a lower bound unless the market is `known`."""
        return None if self.low is None or self.high is None else move_pct(self.low, self.high)

    @property
    def known(self) -> bool:
        """Whether the polls were enough, and recent enough, to judge how far the price moved."""
        age_s = self.seen_age_s
        return age_s is not None and age_s <= SEEN_LIMIT_S and self.polls >= POLLS_NEEDED

    @property
    def why_unknown(self) -> str:
        """The reason in the active language; "" if the market is known."""
        return "" if self.known else unknown_reason(self.polls, self.seen_age_s)

    @property
    def shown_price(self) -> str:
        """The last price for display, without trailing zeros."""
        return "" if self.price is None else grouped(self.price)


def move_pct(low: Decimal, high: Decimal) -> Decimal:
    """Return how far a price moved, in per cent of its low: `(high - low) / low`.

    >>> move_pct(Decimal(100), Decimal(103))
    Decimal('3')
    >>> move_pct(Decimal(80), Decimal(80))
    Decimal('0')

    Args:
        low: positive.
        high: at least `low`.
    """
    return (high - low) * 100 / low


def unknown_reason(polls: int, seen_age_s: int | None) -> str:
    """Return in the active language why a market is unknown; an outdated price comes before missing polls."""
    if seen_age_s is None:
        return gettext("no price yet")
    if seen_age_s > SEEN_LIMIT_S:
        return gettext("last seen %(age)s s ago, limit %(limit)s s") % {
            "age": seen_age_s,
            "limit": SEEN_LIMIT_S,
        }
    return gettext("%(polls)s of %(expected)s polls in 5 min, %(needed)s needed") % {
        "polls": polls,
        "expected": POLLS_EXPECTED,
        "needed": POLLS_NEEDED,
    }


def read_windows(markets: Collection[str], at: datetime) -> list[Window]:
    """Return one window per market, in the order given, with one query.

    Polls are counted by ten-second slot: two polls in one slot do not make up for a missed slot.
    """
    facts: dict[str, Any] = {"markets": list(markets), "at": at, "start": at - SPAN, "slot": POLL_INTERVAL}
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS, facts)
        return [
            Window(market, at, polls, low, high, price, seen_at)
            for market, polls, low, high, price, seen_at in cursor.fetchall()
        ]


# The range uses the index on (market, last_seen_at), the last price the primary key: neither gets slower with
# history. Rows first seen after `at` are left out, so that a delayed run does not see later prices.
_WINDOWS = """
WITH answered AS (
    SELECT code AS market, count(DISTINCT date_bin(%(slot)s, polled_at, 'epoch')) AS polls
    FROM poll, unnest(markets) AS code
    WHERE polled_at > %(start)s AND polled_at <= %(at)s
    GROUP BY code
)
SELECT asked.market, coalesce(answered.polls, 0), prices.low, prices.high, newest.price,
       coalesce(prices.seen_at, newest.last_seen_at)
FROM unnest(%(markets)s::text[]) WITH ORDINALITY AS asked (market, place)
LEFT JOIN answered ON answered.market = asked.market
LEFT JOIN LATERAL (
    SELECT min(price) AS low, max(price) AS high, max(last_seen_at) AS seen_at FROM ticker
    WHERE ticker.market = asked.market AND last_seen_at > %(start)s AND first_seen_at <= %(at)s
) AS prices ON true
LEFT JOIN LATERAL (
    SELECT price, last_seen_at FROM ticker
    WHERE ticker.market = asked.market AND first_seen_at <= %(at)s
    ORDER BY traded_at DESC LIMIT 1
) AS newest ON true
ORDER BY asked.place
"""
