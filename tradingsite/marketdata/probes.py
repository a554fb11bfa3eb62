"""Health probe of the exchange: judges by the trader's own calls, or sends one public request.

Rules: docs/market-data.md M9-M11.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tradingsite.amounts import grouped
from tradingsite.clients.call_log import probing
from tradingsite.clients.errors import ClientError, NotFound, RateLimited, Rejected
from tradingsite.clients.factory import upbit_client
from tradingsite.clients.findings import FailureTexts, failure_finding
from tradingsite.marketdata import venue_verdict
from tradingsite.marketdata.venue_stats import read_stats

if TYPE_CHECKING:
    from tradingsite.clients.upbit.schemas import Ticker

WITHIN_S = 2.5
"""Less than the engine's limit of four seconds, so that the client's error is reported, not a timeout."""
_FAILURES = FailureTexts(
    timed_out=gettext_noop("Upbit gave no answer within %(limit)s s: check the network and UPBIT_API_URL"),
    unreachable=gettext_noop("Upbit cannot be reached: check the network and UPBIT_API_URL"),
    unavailable=gettext_noop("Upbit fails with status %(status)s: see whether it announced maintenance"),
    invalid=gettext_noop("Upbit's answer is not as documented: its interface may have changed"),
)


def upbit_api() -> Finding:
    """Judge by the trader's own calls; if they are too old, request the first configured market's price."""
    try:
        market = SystemConfig.objects.get_value("markets")[0]
    except UnreadableConfig:
        return Finding("unhealthy", gettext_noop("markets cannot be read: correct it in admin"))
    with probing():
        stats = read_stats()
        found = venue_verdict.verdict_from_calls(stats) or _request_price(market)
        return (venue_verdict.account_problem(stats) or found) if found.status == "healthy" else found


def _request_price(market: str) -> Finding:
    try:
        answers = upbit_client(retries=0).tickers([market], within_s=WITHIN_S)
    except ClientError as error:
        return failure_finding(
            error, _FAILURES, within_s=WITHIN_S, limited=_limited, rejected=partial(_rejected, market)
        )
    ticker = next((answer for answer in answers if answer.market == market), None)
    return Finding("unhealthy", _FAILURES.invalid) if ticker is None else _price_finding(ticker)


def _price_finding(ticker: Ticker) -> Finding:
    age = timezone.now() - ticker.trade_timestamp
    return Finding(
        "healthy",
        gettext_noop("%(market)s at %(price)s, traded %(age)s s ago"),
        market=ticker.market,
        price=grouped(ticker.trade_price),
        age=max(0, int(age.total_seconds())),
    )


def _rejected(market: str, error: Rejected) -> Finding:
    if isinstance(error, NotFound):
        text = gettext_noop("Upbit does not know %(market)s: correct markets in admin")
        return Finding("unhealthy", text, market=market)
    text = gettext_noop("Upbit refuses the request for %(market)s, status %(status)s")
    return Finding("unhealthy", text, market=market, status=error.status or 0)


def _limited(error: RateLimited) -> Finding:
    return venue_verdict.limited_until(
        timezone.now() + timedelta(seconds=error.retry_after_s), banned=error.banned
    )
