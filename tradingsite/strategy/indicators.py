"""Computes RSI, MACD, Bollinger bands, EMA and ATR of closed candles with TA-Lib (docs/signals.md D6).

TA-Lib and numpy are imported on first use, because they take 60 MB that only the scheduler needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

MIN_CANDLES = 100
"""With fewer, recursive indicators still depend on their starting value; with these by less than 0.2 %."""
RSI_PERIOD = ATR_PERIOD = 14
BOLLINGER_PERIOD = 20


@dataclass(frozen=True, slots=True)
class Indicators:
    """The values at the last candle, in units of the price except the RSI; None where there is no value."""

    rsi_14: float | None = None
    macd: float | None = None
    macd_signal: float | None = None
    macd_histogram: float | None = None
    bollinger_upper: float | None = None
    bollinger_middle: float | None = None
    bollinger_lower: float | None = None
    ema_20: float | None = None
    ema_50: float | None = None
    atr_14: float | None = None

    @property
    def missing(self) -> list[str]:
        return [field.name for field in fields(self) if getattr(self, field.name) is None]


def indicators(highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]) -> Indicators:
    """Return the indicators of equally many highs, lows and closes, oldest first.

    All are None if there are fewer than 100 candles, if a value is not a positive finite number (TA-Lib would
    turn a single NaN into an RSI of 0), or if the price never moved. The RSI is None if the last 15 closes
    are equal, where TA-Lib returns 0, which would look like a strong buy. The bands are None if the last 20
    closes are equal, because their width is zero.
    """
    everything = [*highs, *lows, *closes]
    if len(closes) < MIN_CANDLES or not all(isfinite(value) and value > 0 for value in everything):
        return Indicators()
    if min(everything) == max(everything):
        return Indicators()
    return _computed(highs, lows, closes)


def _computed(highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]) -> Indicators:
    import numpy as np
    import talib

    high, low, close = (np.array(values, dtype=float) for values in (highs, lows, closes))
    macd, signal, histogram = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    upper, middle, lower = _bands(talib, close)
    return Indicators(
        rsi_14=None if _flat(closes, RSI_PERIOD + 1) else _last(talib.RSI(close, RSI_PERIOD)),
        macd=_last(macd),
        macd_signal=_last(signal),
        macd_histogram=_last(histogram),
        bollinger_upper=None if _flat(closes, BOLLINGER_PERIOD) else _last(upper),
        bollinger_middle=None if _flat(closes, BOLLINGER_PERIOD) else _last(middle),
        bollinger_lower=None if _flat(closes, BOLLINGER_PERIOD) else _last(lower),
        ema_20=_last(talib.EMA(close, 20)),
        ema_50=_last(talib.EMA(close, 50)),
        atr_14=_last(talib.ATR(high, low, close, ATR_PERIOD)),
    )


def _bands(talib: Any, close: Any) -> tuple[Any, Any, Any]:
    # Only the closes of the period, shifted to zero: TA-Lib subtracts running sums of squares, and with large
    # values the narrow bands of a quiet market would be lost in rounding errors.
    own = close[-BOLLINGER_PERIOD:] - close[-1]
    bands = talib.BBANDS(own, timeperiod=BOLLINGER_PERIOD, nbdevup=2.0, nbdevdn=2.0, matype=0)
    upper, middle, lower = (band + close[-1] for band in bands)
    return upper, middle, lower


def _flat(closes: Sequence[float], count: int) -> bool:
    return len(set(closes[-count:])) == 1


def _last(values: Any) -> float | None:
    value = float(values[-1])
    return value if isfinite(value) else None
