"""The sandbox model's decision: a simple rule over the indicators in the prompt.

Rules: docs/sandbox-faults.md SF2.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_LOW_RSI, _HIGH_RSI = Decimal(35), Decimal(65)
_FLAT_RATIO = Decimal("0.0003")  # of the price: a smaller MACD histogram counts as flat
_MIN_CONFIDENCE, _CONFIDENCE_RANGE = Decimal("0.5"), Decimal("0.45")

_NAMES = {
    "rsi": r"(?:^|_)rsi(?:_?\d+)?$",
    "histogram": r"macd\w*_hist(?:ogram)?$",
    "macd": r"(?:^|_)macd(?:_line|_macd)?$",
    "signal": r"macd\w*_signal$",
    "lower": r"(?:boll|bb|band)\w*_lower$|(?:^|_)lower_band$",
    "upper": r"(?:boll|bb|band)\w*_upper$|(?:^|_)upper_band$",
    "price": r"^(?:(?!position|average|avg|entry)\w)*?(?:^|_)(?:price|last_close|close)$",
}
_LONGEST_NAME = 200  # the patterns take quadratic time
_UNIT = re.compile(r"(?:_(?:value|krw|quote|\d+))+$")


@dataclass(frozen=True)
class Opinion:
    """A decision, its confidence (0.5 to 0.95 from the rule), and a reason that quotes only prompt values."""

    decision: str
    confidence: Decimal
    reasoning: str


def opinion(prompt: str) -> Opinion:
    """Decide from the numbers in a prompt, which should be a JSON object; without any, HOLD."""
    found = _indicators(prompt)
    for judge in (_by_rsi, _by_bands, _by_macd):
        verdict = judge(found)
        if verdict:
            return verdict
    return _opinion("HOLD", Decimal(), "no indicator gives a signal")


def _by_rsi(found: Mapping[str, Decimal]) -> Opinion | None:
    rsi = found.get("rsi")
    if rsi is None or _LOW_RSI <= rsi <= _HIGH_RSI:
        return None
    if rsi < _LOW_RSI:
        return _opinion("BUY", (_LOW_RSI - rsi) / _LOW_RSI, f"RSI {rsi:f} is low")
    return _opinion("SELL", (rsi - _HIGH_RSI) / (100 - _HIGH_RSI), f"RSI {rsi:f} is high")


def _by_bands(found: Mapping[str, Decimal]) -> Opinion | None:
    price, lower, upper = (found.get(name) for name in ("price", "lower", "upper"))
    if not price:
        return None
    if lower is not None and price < lower:
        reason = f"price {price:f} is below the lower band {lower:f}"
        return _opinion("BUY", 100 * (lower - price) / price, reason)
    if upper is not None and price > upper:
        reason = f"price {price:f} is above the upper band {upper:f}"
        return _opinion("SELL", 100 * (price - upper) / price, reason)
    return None


def _by_macd(found: Mapping[str, Decimal]) -> Opinion | None:
    ahead = found.get("histogram")
    reason = f"MACD histogram {ahead:f}" if ahead is not None else ""
    if ahead is None and "macd" in found and "signal" in found:
        ahead = found["macd"] - found["signal"]
        reason = f"MACD {found['macd']:f} against its signal {found['signal']:f}"
    if ahead is None:
        return None
    ratio = abs(ahead) / abs(found.get("price") or ahead or Decimal(1))
    if ratio < _FLAT_RATIO:
        return _opinion("HOLD", Decimal("0.5"), f"{reason} is flat")
    return _opinion("BUY" if ahead > 0 else "SELL", ratio * 300, reason)


def _opinion(decision: str, distance: Decimal, reason: str) -> Opinion:
    confidence = _MIN_CONFIDENCE + _CONFIDENCE_RANGE * min(Decimal(1), distance)
    return Opinion(decision, round(confidence, 2), f"Sandbox rule: {reason}.")


def _indicators(prompt: str) -> dict[str, Decimal]:
    """Return the indicators named in `_NAMES`, wherever they are in the JSON."""
    try:
        sent = json.loads(prompt, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return {}
    numbers = sorted(_numbers(sent, ()), key=lambda number: len(number[0]))
    found: dict[str, Decimal] = {}
    for path, number in numbers:
        name = _UNIT.sub("", "_".join(path).lower()[-_LONGEST_NAME:])
        for wanted, pattern in _NAMES.items():
            if wanted not in found and re.search(pattern, name):
                found[wanted] = number
    return found


def _numbers(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Decimal]]:
    """Yield every number with the names that lead to it; numbers inside lists are skipped."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _numbers(member, (*path, name))
    elif isinstance(value, Decimal):
        yield path, value
    elif isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        yield path, Decimal(value)
