"""The generated order book around the last trade (docs/sandbox.md S9)."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.price_grid import E8
from tradingsite.sandbox.quotation.prices import Prices
from tradingsite.sandbox.quotation.trades import TradeTick

UNITS = 30
REFRESH_MS = 500  # how often sizes change; prices change with every trade
_BLOCK = 64


class Level(NamedTuple):
    """The size available at one price, in 1e-8."""

    price_e8: int
    size_e8: int


class Book(NamedTuple):
    """Both sides, best price first. The bids may be fewer than asked for: no price is below one tick."""

    timestamp_ms: int
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]


def supported_steps(market: Market, price_e8: int) -> tuple[int, ...]:
    """Return the price steps, in 1e-8, by which the book can be grouped; 0 means no grouping."""
    tick = market.grid.tick(price_e8)
    return (0, 10 * tick, 100 * tick) if market.quote == "KRW" else (0,)


class Books:
    """Order books; like the prices, they depend only on seed and time."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._sizes = lru_cache(maxsize=1024)(self._sizes_of_block)

    def book(self, market: Market, at_ms: int, step_e8: int = 0, units: int = UNITS) -> Book:
        """Return `units` levels per side, grouped by `step_e8` unless that is 0.

        The last trade's price is the best ask after a buy and the best bid after a sell.
        """
        trade = self._prices.last_trade(market, at_ms)
        slot = at_ms // REFRESH_MS
        asks = self._asks(market, trade, slot)
        bids = self._bids(market, trade, slot)
        if step_e8:
            asks, bids = _grouped(asks, step_e8, up=True), _grouped(bids, step_e8, up=False)
        timestamp_ms = max(trade.at_ms, slot * REFRESH_MS)
        return Book(timestamp_ms, tuple(islice(asks, units)), tuple(islice(bids, units)))

    def _asks(self, market: Market, trade: TradeTick, slot: int) -> Iterator[Level]:
        price = trade.price_e8
        if trade.side == "ASK":
            for _ in range(_spread(market)):
                price += market.grid.tick(price)
        for size in self._sizes_from_best(market, "ask", slot):
            yield Level(price, size)
            price += market.grid.tick(price)

    def _bids(self, market: Market, trade: TradeTick, slot: int) -> Iterator[Level]:
        price = trade.price_e8
        if trade.side == "BID":
            for _ in range(_spread(market)):
                price = market.grid.below(price)
        for size in self._sizes_from_best(market, "bid", slot):
            if price <= 0:
                return
            yield Level(price, size)
            price = market.grid.below(price)

    def _sizes_from_best(self, market: Market, side: str, slot: int) -> Iterator[int]:
        block = 0
        while True:
            yield from self._sizes(market, side, slot, block)
            block += 1

    def _sizes_of_block(self, market: Market, side: str, slot: int, block: int) -> tuple[int, ...]:
        # A level has about 4 s of turnover.
        typical_size = float(market.turnover / market.price) * E8 / 20_000
        draws = self._prices.noise(market).draws(f"{side}{slot}/", block, _BLOCK)
        return tuple(1 + int(typical_size * (0.1 + 3 * draw * draw)) for draw in draws)


def _spread(market: Market) -> int:
    """Return the ticks between best bid and best ask; quiet markets have a wider spread."""
    return 1 if market.trades_per_min >= 2 else 2


def _grouped(levels: Iterator[Level], step_e8: int, *, up: bool) -> Iterator[Level]:
    """Yield one level per step that has any: asks are rounded up to it, bids down.

    The levels left over at the end belong to prices below the lowest step and are dropped.
    """
    group, size = -1, 0
    for level in levels:
        rounded = (-(-level.price_e8 // step_e8) if up else level.price_e8 // step_e8) * step_e8
        if rounded != group and size:
            yield Level(group, size)
            size = 0
        group, size = rounded, size + level.size_e8
