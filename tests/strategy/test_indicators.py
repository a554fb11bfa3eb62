"""Indicators equal another library's and their definitions; None where a value would mislead."""

from itertools import pairwise
from math import inf, nan, sqrt
from typing import Any

import pytest
from talipp.indicators import ATR, BB, EMA, MACD, RSI  # type: ignore[import-untyped]  # it has no types
from talipp.ohlcv import OHLCV  # type: ignore[import-untyped]  # it has no types

from tests.strategy.market import columns, walk
from tradingsite.strategy.indicators import Indicators, indicators

NAMES = Indicators().missing


def close_to(value, price):
    """Equal to 1e-9 of itself; of a difference of large numbers what floats can hold."""
    return pytest.approx(value, rel=1e-9, abs=price * 1e-15)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("start", "tick"), [(150_000_000, 1000), (0.02, 0.0001), (500, 1)], ids=str)
def test_indicators_of_random_walks_equal_talipps(seed, start, tick):
    bars = walk(450, seed, start, tick)
    highs, lows, closes = columns(bars)
    price = closes[-1]

    found: Any = indicators(highs, lows, closes)

    bands, macd = BB(20, 2, closes)[-1], MACD(12, 26, 9, closes)[-1]
    assert found.missing == []
    assert found.rsi_14 == close_to(RSI(14, closes)[-1], 0)
    assert found.ema_20 == close_to(EMA(20, closes)[-1], price)
    assert found.ema_50 == close_to(EMA(50, closes)[-1], price)
    assert (found.bollinger_upper, found.bollinger_middle, found.bollinger_lower) == (
        close_to(bands.ub, price),
        close_to(bands.cb, price),
        close_to(bands.lb, price),
    )
    assert found.macd == close_to(macd.macd, price)
    assert found.macd_signal == close_to(macd.signal, price)
    assert found.macd_histogram == close_to(macd.histogram, price)
    # Another seed, which has weighed nothing since about 300 candles.
    ohlcv = [OHLCV(low, high, low, close, 1) for high, low, close in zip(highs, lows, closes, strict=True)]
    assert found.atr_14 == close_to(ATR(14, ohlcv)[-1], price)


def wilder(values, period):
    """Wilder's average, begun with the plain average of the first `period`."""
    average = sum(values[:period]) / period
    for value in values[period:]:
        average = (average * (period - 1) + value) / period
    return average


def ema(values, period):
    """Return the exponential average at each value, begun with the plain average of the first `period`."""
    averages = [sum(values[:period]) / period]
    for value in values[period:]:
        averages.append(averages[-1] + (value - averages[-1]) * 2 / (period + 1))
    return averages


def test_indicators_equal_their_definitions():
    highs, lows, closes = columns(walk(100, seed=3))
    price = closes[-1]
    moves = [later - earlier for earlier, later in pairwise(closes)]
    ranges = [
        max(high, before) - min(low, before)
        for high, low, before in zip(highs[1:], lows[1:], closes, strict=False)
    ]

    found: Any = indicators(highs, lows, closes)

    gains, losses = wilder([max(m, 0) for m in moves], 14), wilder([max(-m, 0) for m in moves], 14)
    assert found.rsi_14 == close_to(100 * gains / (gains + losses), 0)
    assert found.atr_14 == close_to(wilder(ranges, 14), price)
    # Both begin at the 26th close: the fast one is seeded with the twelve before it.
    lines = [fast - slow for fast, slow in zip(ema(closes[14:], 12), ema(closes, 26), strict=True)]
    assert found.macd == close_to(lines[-1], price)
    assert found.macd_signal == close_to(ema(lines, 9)[-1], price)
    middle = sum(closes[-20:]) / 20
    sigma = sqrt(sum((value - middle) ** 2 for value in closes[-20:]) / 20)  # of the population
    assert found.bollinger_upper == close_to(middle + 2 * sigma, price)
    assert found.bollinger_lower == close_to(middle - 2 * sigma, price)
    assert found.ema_50 == close_to(ema(closes, 50)[-1], price)


def test_bollinger_bands_are_exact_after_a_fall_from_large_prices():
    closes = [300_000_000.0] * 200
    closes[-20:] = [150_000_000, 150_001_000] * 10

    found: Any = indicators([300_000_000.0] * 200, [100_000_000.0] * 200, closes)

    assert found.bollinger_upper - found.bollinger_middle == pytest.approx(1000, rel=1e-9)


def test_too_few_candles_give_no_indicators():
    assert indicators(*columns(walk(99))).missing == NAMES
    assert indicators(*columns(walk(100))).missing == []
    assert indicators([], [], []).missing == NAMES


@pytest.mark.parametrize("wrong", [nan, inf, -inf, 0.0, -1.0])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_one_invalid_number_gives_no_indicators(column, wrong):
    table = columns(walk(200))
    table[column][50] = wrong

    assert indicators(*table).missing == NAMES


def test_constant_price_gives_no_indicators():
    assert indicators([5.0] * 200, [5.0] * 200, [5.0] * 200).missing == NAMES


@pytest.mark.parametrize(
    ("flat", "missing"),
    [
        (14, []),
        (15, ["rsi_14"]),
        (19, ["rsi_14"]),
        (20, ["rsi_14", "bollinger_upper", "bollinger_middle", "bollinger_lower"]),
        (190, ["rsi_14", "bollinger_upper", "bollinger_middle", "bollinger_lower"]),
    ],
)
def test_flat_end_gives_no_rsi_and_no_bands(flat, missing):
    highs, lows, closes = columns(walk(200))
    closes[-flat:] = [closes[-flat]] * flat

    assert indicators(highs, lows, closes).missing == missing


def test_tiny_price_moves_are_not_taken_for_flat():
    highs, lows, closes = columns(walk(200, start=0.00002, tick=0.00000001))
    closes[-20:] = [0.00002, 0.00002001] * 10

    found: Any = indicators(highs, lows, closes)

    assert 0 < found.rsi_14 < 100
    assert found.bollinger_upper - found.bollinger_middle == pytest.approx(1e-8, rel=1e-9)
