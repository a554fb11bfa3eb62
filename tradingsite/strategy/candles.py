"""Fetches and checks the half-hour candles that a trading decision is based on (docs/signals.md D4, D5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from tradingsite.clients.errors import ClientError
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.schemas import MinuteCandle
from tradingsite.strategy.hold_reasons import NoAdvice

UNIT = timedelta(minutes=30)
COUNT = 200
MAX_MISSING_PCT = 20
MAX_PRICE_GAP_PCT = Decimal(20)
"""Between the last close and the current price. More must be an error, such as another market or unit."""

_UNIT_MIN = UNIT // timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """One half hour. If `filled`, it had no trades: its prices are the previous close, its volume is 0."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Consecutive bars, oldest first; the last one closed at `end`."""

    bars: tuple[Bar, ...]
    end: datetime

    @property
    def filled(self) -> int:
        return sum(bar.filled for bar in self.bars)


def closed_candles(client: UpbitClient, market: str, at: datetime) -> Series:
    """Return the last 200 half hours of `market` that had ended at `at`, with one request to the exchange.

    Raises:
        NoAdvice: no_candles, insane_input or missing_candles.
    """
    end = _EPOCH + (at - _EPOCH) // UNIT * UNIT
    try:
        found = client.candles(market, _UNIT_MIN, COUNT, end)
    except ClientError as error:
        raise NoAdvice("no_candles", str(error)) from error
    return series(found, market, end)


def series(found: Sequence[MinuteCandle], market: str, end: datetime) -> Series:
    """Return the bars of the 200 half hours before `end`. `found` is the exchange's answer, newest first.

    Half hours without a trade are missing from the answer, so it reaches further back than 200 half hours;
    the newest of the earlier candles gives the price to fill a gap at the beginning. A new market has fewer
    bars.

    Raises:
        NoAdvice: insane_input for an implausible candle; missing_candles if too many are missing.
    """
    _check(found, market, end)
    bars = _fill_gaps({candle.candle_date_time_utc: candle for candle in found}, end - COUNT * UNIT)
    missing = COUNT - sum(not bar.filled for bar in bars)
    if missing * 100 > MAX_MISSING_PCT * COUNT:
        text = f"{missing} of {COUNT} half hours have no candle, limit {MAX_MISSING_PCT} %"
        raise NoAdvice("missing_candles", text)
    return Series(tuple(bars), end)


def check_price(last: Series, price: Decimal) -> None:
    """Raise NoAdvice (insane_input) if the current price is too far from the last close."""
    close = last.bars[-1].close
    apart_pct = abs(price - close) * 100 / close
    if apart_pct > MAX_PRICE_GAP_PCT:
        text = f"the price is {apart_pct:.1f} % from the last close, limit {MAX_PRICE_GAP_PCT} %"
        raise NoAdvice("insane_input", text)


def _check(found: Sequence[MinuteCandle], market: str, end: datetime) -> None:
    for candle in found:
        defect = _defect(candle, market, end)
        if defect:
            raise NoAdvice(
                "insane_input", f"the candle of {candle.candle_date_time_utc:%Y-%m-%d %H:%M} {defect}"
            )
    if any(newer.candle_date_time_utc <= older.candle_date_time_utc for newer, older in pairwise(found)):
        raise NoAdvice("insane_input", "the candles are not newest first, each once")


def _defect(candle: MinuteCandle, market: str, end: datetime) -> str | None:
    # The schema has already checked that prices are positive and all numbers finite.
    start = candle.candle_date_time_utc
    low, high = candle.low_price, candle.high_price
    body = (candle.opening_price, candle.trade_price)
    if candle.market != market or candle.unit != _UNIT_MIN:
        return f"is of {candle.market!r} and {candle.unit} min"
    if (start - _EPOCH) % UNIT or start >= end:
        return "is not a half hour that has closed"
    if not low <= min(body) <= max(body) <= high:
        return "opens or closes outside its own range"
    return None


def _fill_gaps(found: Mapping[datetime, MinuteCandle], first: datetime) -> list[Bar]:
    before = [start for start in found if start < first]
    close = found[max(before)].trade_price if before else None
    bars: list[Bar] = []
    for start in (first + number * UNIT for number in range(COUNT)):
        if start in found:
            bars.append(_bar(found[start]))
            close = bars[-1].close
        elif close is not None:
            bars.append(Bar(start, close, close, close, close, Decimal(0), filled=True))
    return bars


def _bar(candle: MinuteCandle) -> Bar:
    return Bar(
        candle.candle_date_time_utc,
        candle.opening_price,
        candle.high_price,
        candle.low_price,
        candle.trade_price,
        candle.candle_acc_trade_volume,
    )
