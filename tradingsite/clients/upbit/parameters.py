"""Checks and formats the arguments of Upbit requests; what breaks a documented rule is not sent.

Rules: docs/upbit-client.md U8.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from tradingsite.clients.errors import NotSent

MINUTE_UNITS = (1, 3, 5, 10, 15, 30, 60, 240)
MAX_CANDLES = 200
MAX_MARKETS_LENGTH = 4000
"""Characters of market codes in one URL; all KRW markets together need less than half."""

_MARKET = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")


def market_code(market: str) -> str:
    """Return `market`. Raises NotSent unless it has the form QUOTE-BASE."""
    if not _MARKET.fullmatch(market):
        raise NotSent(f"market {market!r}: must be of the form KRW-BTC")
    return market


def market_lists(markets: Iterable[str]) -> list[str]:
    """Return comma-separated lists, each short enough for one URL, without duplicates."""
    lists: list[str] = []
    for market in dict.fromkeys(map(market_code, markets)):
        if lists and len(lists[-1]) + 1 + len(market) < MAX_MARKETS_LENGTH:
            lists[-1] += f",{market}"
        else:
            lists.append(market)
    return lists


def candle_parameters(market: str, count: int, to: datetime | None) -> dict[str, str]:
    """Return the parameters that every candle request has.

    Raises:
        NotSent: `count` is not 1 to 200 (Upbit does not document what more would do), or `to` has no time
            zone (Upbit would read it as UTC).
    """
    if not 1 <= count <= MAX_CANDLES:
        raise NotSent(f"count {count}: must be from 1 to {MAX_CANDLES}")
    parameters = {"market": market_code(market), "count": str(count)}
    if to is None:
        return parameters
    if to.tzinfo is None:
        raise NotSent(f"to {to.isoformat()}: must have a time zone")
    return parameters | {"to": to.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def minute_unit(unit_min: int) -> int:
    """Return `unit_min`. Raises NotSent if Upbit has no candles of that length."""
    if unit_min not in MINUTE_UNITS:
        raise NotSent(f"unit {unit_min} min: must be one of {MINUTE_UNITS}")
    return unit_min
