"""Judges the exchange, our API key and our clock by the trader's own calls (docs/market-data.md M10-M12)."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from healthcheck.templatetags.moments import moment_text
from tradingsite.marketdata import api_key
from tradingsite.marketdata.venue_stats import ACCOUNT, UPBIT, VenueStats, read_stats

MAX_SKEW_S = 2.0
"""With a larger difference Upbit refuses signatures, and candles end at the wrong time."""
MIN_FAILURES = 3
"""This many calls without any answer are not a coincidence."""


def verdict_from_calls(stats: Mapping[str, VenueStats]) -> Finding | None:
    """Return the verdict of the last price calls.

    None if they are too old or failed, so a request is needed.
    """
    prices = stats.get(UPBIT)
    for venue in stats.values():  # Upbit does not say whether a ban of the key also bans the address
        if venue.row.limited_until and venue.is_limited and (venue.row.banned or venue is prices):
            return limited_until(venue.row.limited_until, banned=venue.row.banned)
    if prices is None:
        return None
    if prices.budget_is_low:
        text = gettext_noop("only %(left)s requests to Upbit are left in this second, so none was sent")
        return Finding("warning", text, left=prices.row.budget["ticker"])
    if not prices.is_fresh:
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


def account_problem(stats: Mapping[str, VenueStats]) -> Finding | None:
    """Return a problem with the account, key or clock that working prices do not reveal, or None.

    Raises:
        django.db.Error: the database cannot be read.
    """
    account = stats.get(ACCOUNT)
    if account and account.row.limited_until and account.is_limited:
        return limited_until(account.row.limited_until, banned=account.row.banned)
    if api_key.check_if_due():
        stats = read_stats()
    return _key_or_account_failure(stats) or _call_warning(stats)


def limited_until(end: datetime, *, banned: bool) -> Finding:
    """Return the finding for a rate limit or ban that lasts until `end`."""
    until = moment_text(end, "time")
    if banned:
        text = gettext_noop("Upbit blocks our address until %(until)s UTC; nothing is sent before")
        return Finding("unhealthy", text, until=until)
    return Finding("warning", gettext_noop("Upbit limits our requests until %(until)s UTC"), until=until)


def _key_or_account_failure(stats: Mapping[str, VenueStats]) -> Finding | None:
    """Return a failure of our key or of the account API."""
    account = stats.get(ACCOUNT)
    if UPBIT in stats and stats[UPBIT].row.key_refused:
        return _KEY_REJECTED
    if account is None or account.is_fresh:
        return None
    if account.row.last_failure_kind == "key":
        return _KEY_REJECTED
    if account.row.answered == 0 and account.row.failed >= MIN_FAILURES:
        text = gettext_noop(
            "none of the last %(calls)s calls to our account was answered, the last: %(kind)s"
        )
        return Finding("unhealthy", text, calls=account.calls, kind=account.row.last_failure_kind)
    return None


def _call_warning(stats: Mapping[str, VenueStats]) -> Finding | None:
    for venue in (each for each in stats.values() if each.is_current):
        if venue.mostly_failed:
            text = gettext_noop(
                "only %(answered)s of the last %(calls)s calls were answered, the last failure: %(kind)s"
            )
            row = venue.row
            return Finding(
                "warning", text, answered=row.answered, calls=venue.calls, kind=row.last_failure_kind
            )
        if venue.row.skew_s is not None and abs(venue.row.skew_s) > MAX_SKEW_S:
            text = gettext_noop("our clock is %(skew)s s off Upbit's, limit %(limit)s s: set it by NTP")
            return Finding("warning", text, skew=round(venue.row.skew_s, 1), limit=MAX_SKEW_S)
    return _key_expiry(stats.get(UPBIT))


def _key_expiry(prices: VenueStats | None) -> Finding | None:
    expires_at = prices.row.key_expires_at if prices else None
    if prices is None or expires_at is None or expires_at - prices.now > api_key.WARN_BEFORE:
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
