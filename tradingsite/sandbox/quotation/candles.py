"""Candles: the periods with trades, newest first (docs/sandbox.md S7, S8)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from tradingsite.sandbox.quotation.bars import Bar, Bars
from tradingsite.sandbox.quotation.dates import KST, format_ms
from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.price_grid import from_e8
from tradingsite.sandbox.quotation.prices import DAY_MS, FIRST_DAY, Prices

_FIRST_MS = FIRST_DAY * DAY_MS
_SECOND_CANDLES_MS = 90 * DAY_MS
_MONDAY = 4  # 1970-01-05
_MOMENT = "%Y-%m-%dT%H:%M:%S"

Period = tuple[int, int]  # start and end in ms


def traded_bars(
    bars: Bars, market: Market, periods: Iterator[Period], count: int, at_ms: int
) -> list[tuple[int, Bar]]:
    """Return start and bar of the first `count` periods that have trades.

    The current period is summed up to `at_ms`: its candle is unfinished.
    """
    found = ((start, bars.bar(market, max(start, _FIRST_MS), min(end, at_ms + 1))) for start, end in periods)
    return list(islice(((start, bar) for start, bar in found if bar), count))


def fixed_periods(size_ms: int, before_ms: int, phase_ms: int = 0) -> Iterator[Period]:
    """Yield the periods of one length that start before a time, newest first, back to the first day."""
    start = (before_ms - 1 - phase_ms) // size_ms * size_ms + phase_ms
    while start + size_ms > _FIRST_MS:
        yield start, start + size_ms
        start -= size_ms


def weeks(before_ms: int) -> Iterator[Period]:
    """Yield weeks, starting on Mondays, that start before a time."""
    return fixed_periods(7 * DAY_MS, before_ms, phase_ms=_MONDAY * DAY_MS)


def months(before_ms: int, months_each: int = 1) -> Iterator[Period]:
    """Yield calendar months, or years (`months_each` 12), that start before a time, newest first."""
    newest = datetime.fromtimestamp((before_ms - 1) // 1000, UTC)
    number = (newest.year * 12 + newest.month - 1) // months_each * months_each
    while (end := _month_start(number + months_each)) > _FIRST_MS:
        yield _month_start(number), end
        number -= months_each


def seconds(prices: Prices, market: Market, before_ms: int, at_ms: int) -> Iterator[Period]:
    """Yield the seconds with a trade that start before a time, at most 90 days back."""
    end = min(-(-before_ms // 1000) * 1000, at_ms + 1)
    last_second = None
    for trade in prices.trades_before(market, end, max(_FIRST_MS, at_ms - _SECOND_CANDLES_MS)):
        second = trade.at_ms // 1000 * 1000
        if second != last_second:
            last_second = second
            yield second, second + 1000


def _month_start(number: int) -> int:
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000


def candle(market: Market, start_ms: int, bar: Bar) -> dict[str, object]:
    return {
        "market": market.code,
        "candle_date_time_utc": format_ms(start_ms, _MOMENT),
        "candle_date_time_kst": format_ms(start_ms, _MOMENT, KST),
        "opening_price": from_e8(bar.open),
        "high_price": from_e8(bar.high),
        "low_price": from_e8(bar.low),
        "trade_price": from_e8(bar.close),
        "timestamp": bar.last_ms,
        "candle_acc_trade_price": from_e8(bar.value),
        "candle_acc_trade_volume": from_e8(bar.volume),
    }
