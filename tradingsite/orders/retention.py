"""Deletes old account readings, for the job `cleanup_old_data`; orders, fills, days and rounds are kept.

Rules: docs/positions.md P12.
"""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from tradingsite.batches import delete_in_batches
from tradingsite.orders.models import AccountReading


def delete_before(cutoff: datetime, *, stop: Event | None = None) -> Mapping[str, int]:
    """Delete account readings before `cutoff`; return the count.

    The base of a day is kept in its own table.
    """
    old = AccountReading.objects.filter(read_at__lt=cutoff).order_by("read_at")
    return {"account_reading": delete_in_batches(old, stop=stop)}
