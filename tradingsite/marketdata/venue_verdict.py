"""What the trader's own calls say about the exchange, our key there, and our clock (M10 to M12)."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from healthcheck.templatetags.moments import moment_text
from tradingsite.marketdata import api_key
from tradingsite.marketdata.venue_stats import ACCOUNT, UPBIT, VenueStats, read_stats

MOST_SKEW_S = 2.0
"""Beyond it signatures are refused and candles end at the wrong moment."""
NONE_ANSWERED = 3
"""So many calls without an answer are no accident."""


def verdict_from_calls(known: Mapping[str, VenueStats]) -> Finding | None:
    """Return what the last calls for prices say; None when they are old or failed: then it must be asked."""
    prices = known.get(UPBIT)
    for venue in known.values():  # a ban of the key is one of the address too, as far as we can know
        if venue.row.limited_until and venue.is_limited and (venue.row.banned or venue is prices):
            return limited_until(venue.row.limited_until, banned=venue.row.banned)
    if prices is None:
        return None
    if prices.is_spent:
        text = gettext_noop("Upbit has %(left)s requests left for us in this second: it is not asked")
        return Finding("warning", text, left=prices.row.budget["ticker"])
    if not prices.is_young:
        return None
    text = gettext_noop(
        "prices were answered %(age)s s ago: %(answered)s of the last %(calls)s calls, in %(p50)s ms"
    )
    return Finding(
        "healthy",
        text,
        age=max(0, prices.age_s),
        answered=prices.row.answered,
        calls=prices.calls,
        p50=round(prices.row.p50_ms or 0),
    )


def account_objection(known: Mapping[str, VenueStats]) -> Finding | None:
    """Return what stands against an exchange whose prices can be read.

    Raises:
        django.db.Error: it cannot be judged.
    """
    account = known.get(ACCOUNT)
    if account and account.row.limited_until and account.is_limited:
        return limited_until(account.row.limited_until, banned=account.row.banned)
    if api_key.ask_if_due():
        known = read_stats()
    return _of_the_account(known) or _warned(known)


def limited_until(end: datetime, *, banned: bool) -> Finding:
    """Return that Upbit limits or bans us, with its end."""
    until = moment_text(end, "time")
    if banned:
        text = gettext_noop("Upbit blocks our address until %(until)s UTC; nothing is sent before")
        return Finding("unhealthy", text, until=until)
    return Finding("warning", gettext_noop("Upbit limits our requests until %(until)s UTC"), until=until)


def _of_the_account(known: Mapping[str, VenueStats]) -> Finding | None:
    """Return what stands against our account's interface, which prices say nothing about."""
    account = known.get(ACCOUNT)
    if UPBIT in known and known[UPBIT].row.key_refused:
        return _KEY_REJECTED
    if account is None or account.is_young:
        return None
    if account.row.last_failure_kind == "key":
        return _KEY_REJECTED
    if account.row.answered == 0 and account.row.failed >= NONE_ANSWERED:
        text = gettext_noop(
            "none of the last %(calls)s calls to our account was answered, the last: %(kind)s"
        )
        return Finding("unhealthy", text, calls=account.calls, kind=account.row.last_failure_kind)
    return None


def _warned(known: Mapping[str, VenueStats]) -> Finding | None:
    for venue in (each for each in known.values() if each.is_current):
        if venue.is_poor:
            text = gettext_noop(
                "only %(answered)s of the last %(calls)s calls were answered, the last failure: %(kind)s"
            )
            row = venue.row
            return Finding(
                "warning", text, answered=row.answered, calls=venue.calls, kind=row.last_failure_kind
            )
        if venue.row.skew_s is not None and abs(venue.row.skew_s) > MOST_SKEW_S:
            text = gettext_noop("our clock is %(skew)s s off Upbit's, limit %(limit)s s: set it by NTP")
            return Finding("warning", text, skew=round(venue.row.skew_s, 1), limit=MOST_SKEW_S)
    return _of_the_key(known.get(UPBIT))


def _of_the_key(prices: VenueStats | None) -> Finding | None:
    expires_at = prices.row.key_expires_at if prices else None
    if prices is None or expires_at is None or expires_at - prices.now > api_key.SOON:
        return None
    date = moment_text(expires_at, "dated minutes")
    if expires_at <= prices.now:
        text = gettext_noop("the API key expired at %(date)s UTC: make a new one at Upbit")
        return Finding("unhealthy", text, date=date)
    text = gettext_noop("the API key expires in %(days)s days, at %(date)s UTC: make a new one at Upbit")
    return Finding("warning", text, days=(expires_at - prices.now).days, date=date)


_KEY_REJECTED = Finding(
    "unhealthy",
    gettext_noop(
        "Upbit does not accept the API key: check UPBIT_ACCESS_KEY, its rights and its allowed addresses"
    ),
)
