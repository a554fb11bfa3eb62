"""Let old rows go, a few thousand at a time (M7). docs/market-data.md lists what ages out of which table."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event
from typing import Any

from django.db import connection, models, transaction

from tradingsite.marketdata.models import Poll, Ticker

BATCH_ROWS = 5_000
"""About 50 ms of locks a batch: no other process waits for the clean-up."""


def delete_before(cutoff: datetime, *, stop: Event | None = None) -> Mapping[str, int]:
    """Delete prices last seen, and polls made, before `cutoff`; return the count for each table.

    A price in force is kept however old its trade is. When `stop` is set the rest waits for the next run.
    """
    old = Ticker.objects.filter(last_seen_at__lt=cutoff).order_by("last_seen_at")
    tickers = sum(delete_in_batches(old.filter(market=market), stop=stop) for market in _stored_markets())
    polls = delete_in_batches(Poll.objects.filter(polled_at__lt=cutoff).order_by("polled_at"), stop=stop)
    return {"ticker": tickers, "poll": polls}


def delete_in_batches(
    rows: models.QuerySet[Any], *, batch_rows: int = BATCH_ROWS, stop: Event | None = None
) -> int:
    """Delete `rows`, each batch in a short transaction of its own; return how many went.

    Must not be called inside a transaction: that would make one long one of it (`durable` refuses).

    Args:
        rows: of one table, ordered by an index, else each batch searches them anew. What protects a row from
            deletion still does.
        batch_rows: at most so many rows a transaction.
        stop: checked between batches.
    """
    deleted = 0
    while stop is None or not stop.is_set():
        batch = rows.model._base_manager.filter(pk__in=rows.values("pk")[:batch_rows])  # noqa: SLF001 - documented
        with transaction.atomic(durable=True):
            _, by_model = batch.delete()
        gone = by_model.get(rows.model._meta.label, 0)  # noqa: SLF001 - documented
        deleted += gone
        if gone < batch_rows:
            break
    return deleted


def _stored_markets() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_STORED_MARKETS)
        return [market for (market,) in cursor.fetchall()]


# One index step a market; SELECT DISTINCT would read the whole table.
_STORED_MARKETS = """
WITH RECURSIVE stored AS (
    SELECT min(market) AS market FROM ticker
    UNION ALL
    SELECT (SELECT min(market) FROM ticker WHERE market > stored.market) FROM stored WHERE market IS NOT NULL
)
SELECT market FROM stored WHERE market IS NOT NULL
"""
