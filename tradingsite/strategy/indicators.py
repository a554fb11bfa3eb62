"""RSI, MACD, Bollinger bands, EMA and ATR of closed candles, by TA-Lib (D6).

TA-Lib and numpy are imported when something is first computed: 60 MB that only the scheduler needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

FEWEST_CANDLES = 100
"""The recursive ones still show their seed before; by then it weighs under 0.2 %."""
RSI_PERIOD = ATR_PERIOD = 14
BOLLINGER_PERIOD = 20


@dataclass(frozen=True, slots=True)
class Indicators:
    """The values at the last candle, in the candles' unit but for the RSI; None where there is none."""

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

    None of all when there are fewer than 100, when one is not a positive finite number (TA-Lib would carry
    a single NaN on as an RSI of 0), or when the price never moved. No RSI when the last 15 closes are equal,
    where TA-Lib says 0, which reads as a bargain; no bands when the last 20 are: their width is nothing.
    """
    everything = [*highs, *lows, *closes]
    if len(closes) < FEWEST_CANDLES or not all(isfinite(value) and value > 0 for value in everything):
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
    # Only its own closes, and around zero: TA-Lib subtracts running sums of squares, in which a quiet
    # market's width drowns far from zero or after a large move.
    own = close[-BOLLINGER_PERIOD:] - close[-1]
    bands = talib.BBANDS(own, timeperiod=BOLLINGER_PERIOD, nbdevup=2.0, nbdevdn=2.0, matype=0)
    upper, middle, lower = (band + close[-1] for band in bands)
    return upper, middle, lower


def _flat(closes: Sequence[float], count: int) -> bool:
    return len(set(closes[-count:])) == 1


def _last(values: Any) -> float | None:
    value = float(values[-1])
    return value if isfinite(value) else None
