"""Let old account readings go; orders, fills, days and rounds stay (P12)."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from tradingsite.batches import delete_in_batches
from tradingsite.orders.models import AccountReading


def delete_before(cutoff: datetime, *, stop: Event | None = None) -> Mapping[str, int]:
    """Delete account readings made before `cutoff`; return the count. A day's base is a row of its own."""
    old = AccountReading.objects.filter(read_at__lt=cutoff).order_by("read_at")
    return {"account_reading": delete_in_batches(old, stop=stop)}
