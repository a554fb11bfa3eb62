"""Measures what the price did 30 minutes, 4 hours and 24 hours after each signal (docs/signals.md D11)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import structlog

from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.errors import ClientError, NotFound
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.strategy.models import SignalOutcome, TradingSignal

logger = structlog.get_logger(__name__)

WITHIN_S = 30.0
"""For a whole run; the rest is measured in the next one."""
MAX_PER_MARKET = 20
"""Per time span, in one run."""
LOOK_BACK = timedelta(days=30)
OLDEST_TRADE = timedelta(hours=1)
"""If a market's last trade before the moment is older, it had no price then."""

_SETTLING_TIME = timedelta(minutes=1)
"""Time for the exchange to complete the last minute's candle."""
_CALL_S = 8.0


def measure(
    client: UpbitClient, at: datetime, *, within_s: float = WITHIN_S, clock: Clock = SYSTEM_CLOCK
) -> Mapping[str, int]:
    """Measure what is due at `at`, oldest first, with one request to the exchange each.

    If a request fails, its market waits for the next run. What came due while no scheduler ran is caught up,
    for up to 30 days.

    Returns counts: `outcomes` written, of these `outcomes_unknown` without a price; `outcomes_failed`
    requests.
    """
    counts = Counter(outcomes=0, outcomes_unknown=0, outcomes_failed=0)
    deadline = Deadline(within_s, clock)
    for market in _markets(at):
        try:
            for signal, after_min in _due(market, at):
                if deadline.left_s() <= 0:
                    return counts
                outcome = _measure_one(client, signal, after_min, at, min(_CALL_S, deadline.left_s()))
                counts.update(outcomes=1, outcomes_unknown=outcome.price is None)
        except ClientError as error:
            counts["outcomes_failed"] += 1
            logger.warning("signal.not_measured", market=market, error=str(error))
    return counts


def _markets(at: datetime) -> list[str]:
    recent = TradingSignal.objects.filter(as_of__gte=at - LOOK_BACK, price__isnull=False)
    return list(recent.order_by("market").values_list("market", flat=True).distinct())


def _due(market: str, at: datetime) -> Iterator[tuple[TradingSignal, int]]:
    for after_min in SignalOutcome.After.values:
        latest = at - timedelta(minutes=after_min) - _SETTLING_TIME
        due = TradingSignal.objects.filter(
            market=market, price__isnull=False, as_of__gte=at - LOOK_BACK, as_of__lte=latest
        ).exclude(outcomes__after_min=after_min)
        for signal in due.order_by("as_of")[:MAX_PER_MARKET]:
            yield signal, after_min


def _measure_one(
    client: UpbitClient, signal: TradingSignal, after_min: int, at: datetime, within_s: float
) -> SignalOutcome:
    moment = signal.as_of + timedelta(minutes=after_min)
    price = price_at(client, signal.market, moment, within_s)
    move_pct = None
    if price is not None and signal.price is not None:
        move_pct = round((price - signal.price) * 100 / signal.price, 4)
    outcome, _ = SignalOutcome.objects.get_or_create(
        signal=signal,
        after_min=after_min,
        defaults={"price": price, "move_pct": move_pct, "measured_at": at},
    )
    return outcome


def price_at(client: UpbitClient, market: str, moment: datetime, within_s: float) -> Decimal | None:
    """Return the price at the beginning of the minute of `moment`.

    That is the close of the last one-minute candle before this minute, which can no longer change. A minute
    without a trade has no candle, so an earlier one gives the price. None if that is over an hour old, or the
    market no longer exists.

    Raises:
        ClientError: no usable answer; trying later may help.
    """
    minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
    try:
        found = client.candles(market, 1, 1, minute, within_s=within_s)
    except NotFound:
        return None
    in_time = [c for c in found if minute - OLDEST_TRADE <= c.candle_date_time_utc < minute]
    return in_time[0].trade_price if in_time else None
