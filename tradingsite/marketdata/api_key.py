"""Reads when the exchange's API key expires, every six hours, for the health probes.

The answer is stored in the database, so that only one process asks.

Rules: docs/market-data.md M12.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from tradingsite.clients.errors import ClientError, KeyRejected
from tradingsite.clients.factory import exchange_client
from tradingsite.marketdata.models import VenueEvidence
from tradingsite.marketdata.venue_stats import UPBIT
from tradingsite.masking import MASK

CHECK_INTERVAL = timedelta(hours=6)
RETRY_DELAY = timedelta(minutes=10)
"""After a failed check."""
WITHIN_S = 1.0
WARN_BEFORE = timedelta(days=30)


def check_if_due() -> bool:
    """Read the key's expiry unless a process did so within six hours; return whether it was read.

    Raises:
        django.db.Error: the database cannot say whether it is due.
    """
    if not settings.UPBIT_ACCESS_KEY:
        return False
    VenueEvidence.objects.bulk_create([VenueEvidence(venue=UPBIT)], ignore_conflicts=True)
    rows = VenueEvidence.objects.filter(venue=UPBIT)
    is_due = Q(key_checked_at=None) | Q(key_checked_at__lt=Now() - CHECK_INTERVAL)
    if not rows.filter(is_due).update(key_checked_at=Now()):
        return False
    try:
        rows.update(key_expires_at=_expires_at(), key_refused=False)
    except ClientError as error:
        rows.update(key_checked_at=Now() - CHECK_INTERVAL + RETRY_DELAY)
        if isinstance(error, KeyRejected):
            rows.update(key_refused=True)
    return True


def _expires_at() -> datetime | None:
    """Return when our key expires; None if it is not among the account's keys."""
    keys = exchange_client(retries=0).api_keys(within_s=WITHIN_S)
    return next((key.expire_at for key in keys if key.access_key == MASK), None)
