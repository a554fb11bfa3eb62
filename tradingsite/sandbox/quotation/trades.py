"""Generates the trades of one minute, which add up exactly to the minute's candle.

Rules: docs/sandbox.md S3, S4.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.noise import Noise
from tradingsite.sandbox.quotation.price_grid import Grid
from tradingsite.sandbox.quotation.price_path import Span, share

MINUTE_MS = 60_000
_DRAWS = 4


class TradeTick(NamedTuple):
    """One trade. `side` is the taker's: BID bought from the asks."""

    at_ms: int
    price_e8: int
    volume_e8: int
    side: str
    sequential_id: int


def trades_of_minute(market: Market, noise: Noise, minute: int, prices: Span) -> tuple[TradeTick, ...]:
    """Return the trades, oldest first. `prices` are allowed prices in 1e-8, not levels.

    The first trade is at the open, the last at the close, high and low are reached, the volumes add up.
    """
    if not prices.volume:
        return ()
    busy, order = noise.draws("busy", minute, 2)
    corners = _corners(prices, high_first=order < 0.5)
    per_min = market.trades_per_min
    expected = max(1.0, per_min) * (0.85 + 0.3 * busy) if per_min > 2 else 1 + 2 * busy * busy
    count = max(len(corners), int(expected + 0.5))
    numbers = noise.draws("trades", minute, _DRAWS * count)
    path = _path(market.grid, prices, corners, count, numbers)
    volumes = share(prices.volume, [0.02 + draw * draw * draw for draw in numbers[3::_DRAWS]])
    times = [
        minute * MINUTE_MS + int((i + 0.02 + 0.96 * draw) * MINUTE_MS / count)
        for i, draw in enumerate(numbers[0::_DRAWS])
    ]
    sides = _sides(path, numbers[2::_DRAWS])
    return tuple(
        TradeTick(at_ms, price, volume, side, at_ms * 10_000)
        for at_ms, price, volume, side in zip(times, path, volumes, sides, strict=True)
    )


def _corners(prices: Span, *, high_first: bool) -> list[int]:
    """Return the prices that must be reached, in order: open, high and low if different, close."""
    ends = (prices.open, prices.close)
    extremes = [level for level in (prices.high, prices.low) if level not in ends]
    if not high_first:
        extremes.reverse()
    corners = [prices.open, *extremes, prices.close]
    return [int(price) for price in (corners if len(set(corners)) > 1 else corners[:1])]


def _path(
    grid: Grid, prices: Span, corners: Sequence[int], count: int, numbers: Sequence[float]
) -> list[int]:
    if len(corners) == 1:
        return [corners[0]] * count
    places = [round(i * (count - 1) / (len(corners) - 1)) for i in range(len(corners))]
    spread = 0.3 * (prices.high - prices.low)
    path = [corners[0]]
    for (x0, y0), (x1, y1) in pairwise(zip(places, corners, strict=True)):
        for i in range(x0 + 1, x1):
            wanted = y0 + (y1 - y0) * (i - x0) / (x1 - x0) + spread * (numbers[_DRAWS * i + 1] - 0.5)
            path.append(grid.nearest(min(prices.high, max(prices.low, wanted))))
        path.append(y1)
    return path


def _sides(path: Sequence[int], draws: Sequence[float]) -> list[str]:
    """Return the taker's side of each trade: a buy if the price rose, a sell if it fell."""
    sides = []
    previous = path[0]
    for price, draw in zip(path, draws, strict=True):
        sides.append("BID" if price > previous or (price == previous and draw < 0.5) else "ASK")
        previous = price
    return sides
