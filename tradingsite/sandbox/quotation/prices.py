"""Prices and trades of every market at any time, all derived from one seed (docs/sandbox.md S1, S4, S12)."""

from collections.abc import Iterator
from functools import lru_cache
from math import exp
from typing import NamedTuple

from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.noise import Noise
from tradingsite.sandbox.quotation.price_grid import E8
from tradingsite.sandbox.quotation.price_path import DRAWS_PER_PART, DRAWS_PER_SPLIT, Span, block_span, split
from tradingsite.sandbox.quotation.trades import MINUTE_MS, TradeTick, trades_of_minute

DAY_MS = 24 * 60 * MINUTE_MS
_HOUR_MS = 60 * MINUTE_MS
DAYS_PER_BLOCK, HOURS_PER_DAY, FIVES_PER_HOUR, MINUTES_PER_FIVE = 32, 24, 12, 5
FIRST_DAY = 17_440  # 2017-10-01; no trades before


class _Kind(NamedTuple):
    """A way to split a span: into `parts` of `minutes` each, of which at least `min_active` have trades."""

    name: str
    parts: int
    minutes: int
    min_active: int


_DAYS = _Kind("days", DAYS_PER_BLOCK, 24 * 60, min_active=DAYS_PER_BLOCK)
_HOURS = _Kind("hours", HOURS_PER_DAY, 60, min_active=HOURS_PER_DAY)
_FIVES = _Kind("fives", FIVES_PER_HOUR, MINUTES_PER_FIVE, min_active=4)
_MINUTES = _Kind("minutes", MINUTES_PER_FIVE, 1, min_active=1)


class Prices:
    """The prices of all markets for one seed. Deterministic, with bounded caches; thread-safe.

    Spans come in five sizes: blocks of 32 days, days, hours, `fives` (five minutes) and minutes.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.noise = lru_cache(maxsize=None)(self._noise)
        self.days = lru_cache(maxsize=2048)(self._days)
        self.hours = lru_cache(maxsize=2048)(self._hours)
        self.fives = lru_cache(maxsize=4096)(self._fives)
        self.minutes = lru_cache(maxsize=8192)(self._minutes)
        self.trades = lru_cache(maxsize=1024)(self._trades)

    def price(self, market: Market, level: float) -> int:
        """Return the allowed price nearest to a level, in 1e-8."""
        return market.grid.nearest(market.base_price_e8 * exp(level))

    def block(self, market: Market, block: int) -> Span:
        """Return a whole block of days. Not cached, because it is cheap."""
        usual_volume = float(market.turnover / market.price) * E8 * DAYS_PER_BLOCK
        return block_span(self.noise(market), block, market.volatility, usual_volume)

    def day(self, market: Market, day: int) -> Span:
        """Return a whole day, counted from 1970-01-01."""
        return self.days(market, day // DAYS_PER_BLOCK)[day % DAYS_PER_BLOCK]

    def trades_before(
        self, market: Market, end_ms: int, first_ms: int = FIRST_DAY * DAY_MS
    ) -> Iterator[TradeTick]:
        """Yield the trades before `end_ms`, newest first, back to `first_ms`."""
        last = (end_ms - 1) // MINUTE_MS
        for five in range(last // MINUTES_PER_FIVE, first_ms // (MINUTES_PER_FIVE * MINUTE_MS) - 1, -1):
            hour, place = divmod(five, FIVES_PER_HOUR)
            if not self.fives(market, hour)[place].volume:
                continue
            for minute in range(min(last, five * MINUTES_PER_FIVE + 4), five * MINUTES_PER_FIVE - 1, -1):
                for trade in reversed(self.trades(market, minute)):
                    if trade.at_ms < first_ms:
                        return
                    if trade.at_ms < end_ms:
                        yield trade

    def last_trade(self, market: Market, at_ms: int) -> TradeTick:
        """Return the newest trade up to `at_ms`; every hour has at least one."""
        return next(self.trades_before(market, at_ms + 1, at_ms - 2 * _HOUR_MS))

    def _noise(self, market: Market) -> Noise:
        return Noise(self.seed, market.code)

    def _days(self, market: Market, block: int) -> tuple[Span, ...]:
        return self._split(market, _DAYS, block, self.block(market, block))

    def _hours(self, market: Market, day: int) -> tuple[Span, ...]:
        return self._split(market, _HOURS, day, self.day(market, day))

    def _fives(self, market: Market, hour: int) -> tuple[Span, ...]:
        day, place = divmod(hour, HOURS_PER_DAY)
        return self._split(market, _FIVES, hour, self.hours(market, day)[place])

    def _minutes(self, market: Market, five: int) -> tuple[Span, ...]:
        hour, place = divmod(five, FIVES_PER_HOUR)
        return self._split(market, _MINUTES, five, self.fives(market, hour)[place])

    def _trades(self, market: Market, minute: int) -> tuple[TradeTick, ...]:
        five, place = divmod(minute, MINUTES_PER_FIVE)
        span = self.minutes(market, five)[place]
        opened, high, low, closed = (self.price(market, level) for level in span[:4])
        prices = Span(opened, high, low, closed, span.volume)
        return trades_of_minute(market, self.noise(market), minute, prices)

    def _split(self, market: Market, kind: _Kind, index: int, whole: Span) -> tuple[Span, ...]:
        noise = self.noise(market)
        chances = noise.draws(f"alive-{kind.name}", index, kind.parts)
        trade_probability = 1 - exp(-kind.minutes * market.trades_per_min)
        limit = max(trade_probability, sorted(chances)[kind.min_active - 1])
        draws = noise.draws(kind.name, index, DRAWS_PER_SPLIT + DRAWS_PER_PART * kind.parts)
        return split(whole, [chance <= limit for chance in chances], draws)
