"""Open, high, low, close and volume of any time range, computed without visiting every trade.

Rules: docs/sandbox.md S8.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import exp, log
from typing import NamedTuple

from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.price_grid import E8
from tradingsite.sandbox.quotation.price_path import Span
from tradingsite.sandbox.quotation.prices import (
    DAY_MS,
    DAYS_PER_BLOCK,
    FIVES_PER_HOUR,
    HOURS_PER_DAY,
    MINUTES_PER_FIVE,
    Prices,
)
from tradingsite.sandbox.quotation.trades import MINUTE_MS

_PARTS_MS = (DAYS_PER_BLOCK * DAY_MS, DAY_MS, 60 * MINUTE_MS, MINUTES_PER_FIVE * MINUTE_MS, MINUTE_MS)
_YEAR_DAYS = 364  # full days before today


class Bar(NamedTuple):
    """The trades between two times, summed up; prices, volume and value (price x volume) in 1e-8."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    value: int
    last_ms: int


class Extremes(NamedTuple):
    """Highest and lowest price over a range of days, and the day of each, counted from 1970-01-01."""

    high: int
    high_day: int
    low: int
    low_day: int


class Bars:
    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._full_days = lru_cache(maxsize=1024)(self._extremes_of_full_days)

    def bar(self, market: Market, start_ms: int, end_ms: int) -> Bar | None:
        """Return the bar of the trades in [start_ms, end_ms); None if there were none.

        Volumes of adjacent bars add up exactly; the value is an estimate within the price range.
        """
        parts = [part for part in self._parts(market, 0, start_ms, end_ms) if part.volume]
        if not parts:
            return None
        price = self._prices.price
        high = price(market, max(part.high for part in parts))
        low = price(market, min(part.low for part in parts))
        volume = sum(part.volume for part in parts)
        worth = sum(part.volume * exp((part.open + part.high + part.low + part.close) / 4) for part in parts)
        value = int(worth * float(market.price))
        return Bar(
            open=price(market, parts[0].open),
            high=high,
            low=low,
            close=price(market, parts[-1].close),
            volume=volume,
            value=min(high * volume // E8, max(low * volume // E8, value)),
            last_ms=next(self._prices.trades_before(market, end_ms, start_ms)).at_ms,
        )

    def close_of_day(self, market: Market, day: int) -> int:
        """Return the last price of a finished day, counted from 1970-01-01."""
        return self._prices.price(market, self._prices.day(market, day).close)

    def year(self, market: Market, at_ms: int) -> Extremes:
        """Return the extremes of the 364 days before today and of today until `at_ms`."""
        day = at_ms // DAY_MS
        before = self._full_days(market, day)
        today = self.bar(market, day * DAY_MS, at_ms + 1)
        if today is None:
            return before
        high = (today.high, day) if today.high >= before.high else (before.high, before.high_day)
        low = (today.low, day) if today.low <= before.low else (before.low, before.low_day)
        return Extremes(*high, *low)

    def _extremes_of_full_days(self, market: Market, day: int) -> Extremes:
        first = day - _YEAR_DAYS
        full = range(-(-first // DAYS_PER_BLOCK), day // DAYS_PER_BLOCK)
        blocks = {block: self._prices.block(market, block) for block in full}
        # The first and last block may be incomplete, so their days are visited one by one.
        blocks_to_visit = {first // DAYS_PER_BLOCK, day // DAYS_PER_BLOCK}
        blocks_to_visit.add(max(blocks, key=lambda block: blocks[block].high))
        blocks_to_visit.add(min(blocks, key=lambda block: blocks[block].low))
        days = {
            block * DAYS_PER_BLOCK + i: span
            for block in blocks_to_visit
            for i, span in enumerate(self._prices.days(market, block))
            if first <= block * DAYS_PER_BLOCK + i < day
        }
        high = max(days, key=lambda day: days[day].high)
        low = min(days, key=lambda day: days[day].low)
        price = self._prices.price
        return Extremes(price(market, days[high].high), high, price(market, days[low].low), low)

    def _parts(self, market: Market, depth: int, start_ms: int, end_ms: int) -> Iterator[Span]:
        """Yield the largest spans that lie completely inside, oldest first, and single trades at the ends."""
        if depth == len(_PARTS_MS):
            yield from self._single_trades(market, start_ms, end_ms)
            return
        size = _PARTS_MS[depth]
        for index in range(start_ms // size, -(-end_ms // size)):
            left, right = index * size, (index + 1) * size
            if start_ms <= left and right <= end_ms:
                yield self._part(market, depth, index)
            else:
                yield from self._parts(market, depth + 1, max(left, start_ms), min(right, end_ms))

    def _single_trades(self, market: Market, start_ms: int, end_ms: int) -> Iterator[Span]:
        for trade in self._prices.trades(market, start_ms // MINUTE_MS):
            if start_ms <= trade.at_ms < end_ms:
                level = log(trade.price_e8 / market.base_price_e8)
                yield Span(level, level, level, level, trade.volume_e8)

    def _part(self, market: Market, depth: int, index: int) -> Span:
        prices = self._prices
        match depth:
            case 0:
                return prices.block(market, index)
            case 1:
                return prices.day(market, index)
            case 2:
                return prices.hours(market, index // HOURS_PER_DAY)[index % HOURS_PER_DAY]
            case 3:
                return prices.fives(market, index // FIVES_PER_HOUR)[index % FIVES_PER_HOUR]
            case _:
                return prices.minutes(market, index // MINUTES_PER_FIVE)[index % MINUTES_PER_FIVE]
