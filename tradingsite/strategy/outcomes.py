"""What the price did 30 minutes, 4 hours and 24 hours after each signal (D11)."""

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
"""For a whole round; what is left over is measured in the next one."""
MOST_A_MARKET = 20
"""Of each span, in one round."""
LOOK_BACK = timedelta(days=30)
OLDEST_TRADE = timedelta(hours=1)
"""A market whose last trade before the moment is older had no price then."""

_SETTLED = timedelta(minutes=1)
"""What the exchange has, at least, to put the last minute's candle in its place."""
_CALL_S = 8.0


def measure(
    client: UpbitClient, at: datetime, *, within_s: float = WITHIN_S, clock: Clock = SYSTEM_CLOCK
) -> Mapping[str, int]:
    """Measure what is due at `at`, the oldest first, each by one question to the exchange.

    A question that fails ends its market's turn; the next round begins there again. What came due while
    nothing ran is made up for, as far back as 30 days.

    Counts: `outcomes` written, of these `outcomes_unknown` without a price; `outcomes_failed` questions.
    """
    counts = Counter(outcomes=0, outcomes_unknown=0, outcomes_failed=0)
    deadline = Deadline(within_s, clock)
    for market in _markets(at):
        try:
            for signal, after_min in _due(market, at):
                if deadline.left_s() <= 0:
                    return counts
                outcome = _measured(client, signal, after_min, at, min(_CALL_S, deadline.left_s()))
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
        ended = at - timedelta(minutes=after_min) - _SETTLED
        waiting = TradingSignal.objects.filter(
            market=market, price__isnull=False, as_of__gte=at - LOOK_BACK, as_of__lte=ended
        ).exclude(outcomes__after_min=after_min)
        for signal in waiting.order_by("as_of")[:MOST_A_MARKET]:
            yield signal, after_min


def _measured(
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
    """Return the price in force when the minute of `moment` began.

    That is the close of the last one-minute candle that begins before this minute: it has ended, whatever
    comes later cannot change it. A minute without a trade has no candle; the one before it has the price.
    None when that one is over an hour old or the market does not exist any more.

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
