"""The price path, from above: a block of days is drawn whole, then split into days, hours and so on.

Each part gets its open, high, low, close and volume from its parent, so that the highest high of the parts is
the parent's high and their volumes add up to its volume (docs/sandbox.md S3, S5). A bucket of any size is
then known without walking the trades inside it. Levels are logarithms of the price relative to the market's
typical price; the grid comes last (`prices.py`), which cannot disturb the order of two levels.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from tradingsite.sandbox.quotation.noise import Noise

# (blocks between free values, amplitude): how far a market with volatility 1 wanders over that time.
_OCTAVES = ((1, 0.07), (3, 0.08), (10, 0.12))
DRAWS_PER_PART = 4
DRAWS_PER_SPLIT = 4


class Span(NamedTuple):
    """What happened in one stretch of time. Without volume nothing did, and all four levels are one."""

    open: float
    high: float
    low: float
    close: float
    volume: int


def block_span(noise: Noise, block: int, volatility: float, usual_volume: float) -> Span:
    """Draw a whole block of days; it opens where the one before closed."""
    up, down, busy = noise.draws("block", block, 3)
    opened, closed = _close(noise, block - 1), _close(noise, block)
    high = max(opened, closed) + 0.015 + 0.06 * up * up
    low = min(opened, closed) - 0.015 - 0.06 * down * down
    levels = [volatility * level for level in (opened, high, low, closed)]
    return Span(levels[0], levels[1], levels[2], levels[3], int(usual_volume * (0.7 + 0.6 * busy)))


def _close(noise: Noise, block: int) -> float:
    return sum(size * noise.smooth(step, block) for step, size in _OCTAVES)


def split(whole: Span, alive: Sequence[bool], draws: Sequence[float]) -> tuple[Span, ...]:
    """Split a span into one part for each of `alive`; nothing trades in a part that is not alive.

    `draws` holds DRAWS_PER_SPLIT numbers and DRAWS_PER_PART more for every part.
    """
    parts = sum(alive)
    if not parts or not whole.volume:
        return (Span(whole.open, whole.open, whole.open, whole.open, 0),) * len(alive)
    turns = _turning_points(whole, parts, draws)
    own = [draws[i : i + DRAWS_PER_PART] for i in range(DRAWS_PER_SPLIT, len(draws), DRAWS_PER_PART)]
    levels = _boundaries(whole, parts, turns, [numbers[0] for numbers in own[:parts]])
    volumes = share(whole.volume, [0.4 + numbers[3] for numbers in own[:parts]])
    wick = 0.2 * (whole.high - whole.low) / sqrt(parts)
    moved = []
    for i, (start, end) in enumerate(pairwise(levels)):
        touched = [start, end, *(level for at, level in turns if min(int(at), parts - 1) == i)]
        high = min(whole.high, max(touched) + wick * own[i][1])
        low = max(whole.low, min(touched) - wick * own[i][2])
        moved.append(Span(start, high, low, end, volumes[i]))
    return _with_gaps(whole.open, alive, moved)


def _turning_points(whole: Span, length: float, draws: Sequence[float]) -> list[tuple[float, float]]:
    """Return where in (0, `length`) the path touches its two extremes, in order, and their levels.

    The path runs at nearly constant speed: that bounds how far any part of it can move.
    """
    rising = abs(whole.high - whole.open) + abs(whole.low - whole.close)
    falling = abs(whole.low - whole.open) + abs(whole.high - whole.close)
    shorter_first = draws[0] < 0.8
    first, second = (
        (whole.high, whole.low) if (rising <= falling) is shorter_first else (whole.low, whole.high)
    )
    ways = (abs(first - whole.open), abs(second - first), abs(whole.close - second))
    times = [way * (0.85 + 0.3 * draw) for way, draw in zip(ways, draws[1:4], strict=True)]
    unit = length / (sum(times) or 1.0)
    return [(times[0] * unit, first), ((times[0] + times[1]) * unit, second)]


def _curve(whole: Span, length: float, turns: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return the lines through start, turning points and end, as a function of a position inside."""
    corners = [(0.0, whole.open), *turns, (float(length), whole.close)]

    def level(position: float) -> float:
        lines = pairwise(corners)
        (x0, y0), (x1, y1) = next(line for line in lines if position <= line[1][0])
        return y0 + (y1 - y0) * (position - x0) / (x1 - x0)

    return level


def share(volume: int, weights: Sequence[float]) -> list[int]:
    """Split a whole number by weights into whole numbers of at least 1 that add up to it."""
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


def _with_gaps(level: float, alive: Sequence[bool], moved: Sequence[Span]) -> tuple[Span, ...]:
    spans: list[Span] = []
    coming = iter(moved)
    for lives in alive:
        spans.append(next(coming) if lives else Span(level, level, level, level, 0))
        level = spans[-1].close
    return tuple(spans)
