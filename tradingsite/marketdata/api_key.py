"""When the exchange's API key expires: read rarely, and kept for all processes (M12)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from tradingsite.clients.errors import ClientError, KeyRejected
from tradingsite.clients.factory import exchange_client
from tradingsite.marketdata.models import VenueEvidence
from tradingsite.marketdata.venue_stats import UPBIT
from tradingsite.masking import MASK

EVERY = timedelta(hours=6)
AGAIN = timedelta(minutes=10)
"""After the question failed."""
WITHIN_S = 1.0
SOON = timedelta(days=30)


def ask_if_due() -> bool:
    """Read when the key expires unless that was done within six hours; return whether it was read.

    Raises:
        django.db.Error: whether it is due is not known.
    """
    if not settings.UPBIT_ACCESS_KEY:
        return False
    VenueEvidence.objects.bulk_create([VenueEvidence(venue=UPBIT)], ignore_conflicts=True)
    rows = VenueEvidence.objects.filter(venue=UPBIT)
    never_or_long_ago = Q(key_checked_at=None) | Q(key_checked_at__lt=Now() - EVERY)
    if not rows.filter(never_or_long_ago).update(key_checked_at=Now()):
        return False
    try:
        rows.update(key_expires_at=_expires_at(), key_refused=False)
    except ClientError as error:
        rows.update(key_checked_at=Now() - EVERY + AGAIN)
        if isinstance(error, KeyRejected):
            rows.update(key_refused=True)
    return True


def _expires_at() -> datetime | None:
    """Return our key's end; None when it is not in the list."""
    keys = exchange_client(retries=0).api_keys(within_s=WITHIN_S)
    return next((key.expire_at for key in keys if key.access_key == MASK), None)
