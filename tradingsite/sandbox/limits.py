"""The exchange's rate limits: requests per second and group, and the ban for ignoring 429s.

Rules: docs/sandbox.md S13-S16.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from threading import Lock

_HOUR_S = 3600


@dataclass(frozen=True)
class Limit:
    """The number of requests allowed in each fixed time window."""

    requests: int
    window_s: int = 1


LIMITS: Mapping[str, Limit] = {
    "market": Limit(10),
    "candle": Limit(10),
    "trade": Limit(10),
    "ticker": Limit(10),
    "orderbook": Limit(10),
    "default": Limit(30),
    "order": Limit(12),
    "order-test": Limit(8),
    "origin": Limit(1, window_s=10),
}
QUOTATION_GROUPS: Mapping[str, str] = {
    "/v1/market/all": "market",
    "/v1/ticker": "ticker",
    "/v1/ticker/all": "ticker",
    "/v1/orderbook": "orderbook",
    "/v1/orderbook/instruments": "orderbook",
    "/v1/trades/ticks": "trade",
    "/v1/candles/seconds": "candle",
    "/v1/candles/minutes/{unit}": "candle",
    "/v1/candles/days": "candle",
    "/v1/candles/weeks": "candle",
    "/v1/candles/months": "candle",
    "/v1/candles/years": "candle",
}
"""The endpoints that need no key, each with its rate-limit group."""


@dataclass(frozen=True)
class LimitVerdict:
    """The rate limiter's decision about one request. `blocked_s` is above 0 during a ban (418)."""

    allowed: bool
    remaining_req: str
    blocked_s: int = 0


@dataclass
class _Window:
    number: int = -1
    used: int = 0
    refused: int = 0  # in a row, also over several windows

    def take(self, limit: Limit, at_s: float) -> int | None:
        """Count one request in the current window; return how many are left, None if it exceeds the limit."""
        number = int(at_s // limit.window_s)
        if self.number != number:
            self.number, self.used = number, 0
        if self.used >= limit.requests:
            self.refused += 1
            return None
        self.used += 1
        self.refused = 0
        return limit.requests - self.used


@dataclass
class _Block:
    until_s: float = 0.0
    count: int = 0

    def start(self, at_s: float, first_s: int) -> int:
        """Start the next ban and return its length."""
        if at_s - self.until_s > _HOUR_S:
            self.count = 0
        length_s = min(_HOUR_S, first_s * int(2**self.count))
        self.count += 1
        self.until_s = at_s + length_s
        return length_s


class RateLimiter:
    """Counts requests by client and group. Thread-safe; the caller passes the time."""

    def __init__(
        self,
        limits: Mapping[str, Limit] = LIMITS,
        *,
        refusals_before_block: int = 20,
        first_block_s: int = 10,
    ) -> None:
        self._limits = limits
        self._refusals_before_block = refusals_before_block
        self._first_block_s = first_block_s
        self._lock = Lock()
        self._windows: dict[tuple[str, str], _Window] = {}
        self._blocks: dict[str, _Block] = {}

    def judge(self, client: str, group: str, at_s: float) -> LimitVerdict:
        """Count one request and return whether it is allowed.

        A ban covers all groups of the client. Each further ban lasts twice as long as the one before, up to
        an hour; after an hour without a ban the next one is short again.
        """
        with self._lock:
            block = self._blocks.setdefault(client, _Block())
            if at_s < block.until_s:
                return self._verdict(group, 0, allowed=False, blocked_s=ceil(block.until_s - at_s))
            window = self._windows.setdefault((client, group), _Window())
            left = window.take(self._limits[group], at_s)
            if left is not None:
                return self._verdict(group, left, allowed=True)
            blocked_s = 0
            if window.refused >= self._refusals_before_block:
                window.refused = 0
                blocked_s = block.start(at_s, self._first_block_s)
            return self._verdict(group, 0, allowed=False, blocked_s=blocked_s)

    def _verdict(self, group: str, left: int, *, allowed: bool, blocked_s: int = 0) -> LimitVerdict:
        limit = self._limits[group]
        per_min = limit.requests * 60 // limit.window_s  # constant: Upbit has deprecated this field
        return LimitVerdict(allowed, f"group={group}; min={per_min}; sec={left}", blocked_s)
