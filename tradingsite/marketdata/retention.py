"""Deletes old prices and polls in batches, for the job `cleanup_old_data` (docs/market-data.md M7)."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from django.db import connection

from tradingsite.batches import delete_in_batches
from tradingsite.marketdata.models import Poll, Ticker


def delete_before(cutoff: datetime, *, stop: Event | None = None) -> Mapping[str, int]:
    """Delete prices last seen, and polls made, before `cutoff`; return the count per table.

    A current price is kept however old its trade is. If `stop` is set, the rest waits for the next run.
    """
    old = Ticker.objects.filter(last_seen_at__lt=cutoff).order_by("last_seen_at")
    tickers = sum(delete_in_batches(old.filter(market=market), stop=stop) for market in _stored_markets())
    polls = delete_in_batches(Poll.objects.filter(polled_at__lt=cutoff).order_by("polled_at"), stop=stop)
    return {"ticker": tickers, "poll": polls}


def _stored_markets() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_STORED_MARKETS)
        return [market for (market,) in cursor.fetchall()]


# One index lookup per market; SELECT DISTINCT would read the whole table.
_STORED_MARKETS = """
WITH RECURSIVE stored AS (
    SELECT min(market) AS market FROM ticker
    UNION ALL
    SELECT (SELECT min(market) FROM ticker WHERE market > stored.market) FROM stored WHERE market IS NOT NULL
)
SELECT market FROM stored WHERE market IS NOT NULL
"""
