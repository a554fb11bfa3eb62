"""Generates prices from large to small: a block of days first, then split into days, hours and so on.

Each part derives its open, high, low, close and volume from its parent: the highest high of the parts is the
parent's high, and their volumes add up to the parent's. So a candle of any length is known without visiting
the trades in it. Levels are logarithms of the price relative to the market's typical price; rounding to the
price grid comes last (`prices.py`) and keeps the order of two levels.

Rules: docs/sandbox.md S3, S5.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from tradingsite.sandbox.quotation.noise import Noise

# (blocks between random values, amplitude): how far a market of volatility 1 moves in that time.
_OCTAVES = ((1, 0.07), (3, 0.08), (10, 0.12))
DRAWS_PER_PART = 4
DRAWS_PER_SPLIT = 4


class Span(NamedTuple):
    """Levels and volume of one time range.

    Without volume there was no trade, and all four levels are equal.
    """

    open: float
    high: float
    low: float
    close: float
    volume: int


def block_span(noise: Noise, block: int, volatility: float, usual_volume: float) -> Span:
    """Generate one block of days; it opens at the previous block's close."""
    up, down, busy = noise.draws("block", block, 3)
    opened, closed = _close(noise, block - 1), _close(noise, block)
    high = max(opened, closed) + 0.015 + 0.06 * up * up
    low = min(opened, closed) - 0.015 - 0.06 * down * down
    levels = [volatility * level for level in (opened, high, low, closed)]
    return Span(levels[0], levels[1], levels[2], levels[3], int(usual_volume * (0.7 + 0.6 * busy)))


def _close(noise: Noise, block: int) -> float:
    return sum(size * noise.smooth(step, block) for step, size in _OCTAVES)


def split(whole: Span, active: Sequence[bool], draws: Sequence[float]) -> tuple[Span, ...]:
    """Split a span into one part per element of `active`; inactive parts have no trades.

    `draws` holds DRAWS_PER_SPLIT numbers and DRAWS_PER_PART more for every part.
    """
    parts = sum(active)
    if not parts or not whole.volume:
        return (Span(whole.open, whole.open, whole.open, whole.open, 0),) * len(active)
    turns = _turning_points(whole, parts, draws)
    part_draws = [draws[i : i + DRAWS_PER_PART] for i in range(DRAWS_PER_SPLIT, len(draws), DRAWS_PER_PART)]
    levels = _boundaries(whole, parts, turns, [numbers[0] for numbers in part_draws[:parts]])
    volumes = share(whole.volume, [0.4 + numbers[3] for numbers in part_draws[:parts]])
    wick = 0.2 * (whole.high - whole.low) / sqrt(parts)
    active_spans = []
    for i, (start, end) in enumerate(pairwise(levels)):
        touched = [start, end, *(level for at, level in turns if min(int(at), parts - 1) == i)]
        high = min(whole.high, max(touched) + wick * part_draws[i][1])
        low = max(whole.low, min(touched) - wick * part_draws[i][2])
        active_spans.append(Span(start, high, low, end, volumes[i]))
    return _insert_gaps(whole.open, active, active_spans)


def _turning_points(whole: Span, length: float, draws: Sequence[float]) -> list[tuple[float, float]]:
    """Return the positions in (0, `length`) and levels of the two extremes, in order.

    The path moves at nearly constant speed, which limits how far any part of it can move.
    """
    rising = abs(whole.high - whole.open) + abs(whole.low - whole.close)
    falling = abs(whole.low - whole.open) + abs(whole.high - whole.close)
    shorter_first = draws[0] < 0.8
    first, second = (
        (whole.high, whole.low) if (rising <= falling) is shorter_first else (whole.low, whole.high)
    )
    distances = (abs(first - whole.open), abs(second - first), abs(whole.close - second))
    times = [distance * (0.85 + 0.3 * draw) for distance, draw in zip(distances, draws[1:4], strict=True)]
    unit = length / (sum(times) or 1.0)
    return [(times[0] * unit, first), ((times[0] + times[1]) * unit, second)]


def _curve(whole: Span, length: float, turns: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return the path through start, turning points and end as a function of the position."""
    corners = [(0.0, whole.open), *turns, (float(length), whole.close)]

    def level(position: float) -> float:
        lines = pairwise(corners)
        (x0, y0), (x1, y1) = next(line for line in lines if position <= line[1][0])
        return y0 + (y1 - y0) * (position - x0) / (x1 - x0)

    return level


def share(volume: int, weights: Sequence[float]) -> list[int]:
    """Split a whole number in proportion to `weights`, each share at least 1."""
    spare = volume - len(weights)
    total = sum(weights)
    shares = [1 + int(spare * (weight / total)) for weight in weights]
    shares[-1] += volume - sum(shares)
    return shares


def _boundaries(
    whole: Span, parts: int, turns: Sequence[tuple[float, float]], draws: Sequence[float]
) -> list[float]:
    level = _curve(whole, parts, turns)
    jitter = 0.7 * (whole.high - whole.low) / sqrt(parts)
    inner = [level(i) + jitter * (draws[i] - 0.5) for i in range(1, parts)]
    return [whole.open, *(min(whole.high, max(whole.low, at)) for at in inner), whole.close]


def _insert_gaps(level: float, active: Sequence[bool], active_spans: Sequence[Span]) -> tuple[Span, ...]:
    spans: list[Span] = []
    coming = iter(active_spans)
    for is_active in active:
        spans.append(next(coming) if is_active else Span(level, level, level, level, 0))
        level = spans[-1].close
    return tuple(spans)
