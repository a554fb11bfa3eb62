"""An ordinary market's candles, for tests that change one thing about them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.clients.peer import LONG_TIMEOUT_S
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.schemas import MinuteCandle
from tradingsite.strategy.candles import Bar

MARKET = "KRW-BTC"
TICK = datetime(2026, 11, 22, 12, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


def patient_client(url: str, clock: Clock = SYSTEM_CLOCK) -> UpbitClient:
    """Return a client without retries whose limits a busy machine keeps."""
    return UpbitClient(
        url,
        retries=0,
        clock=clock,
        connect_timeout_s=LONG_TIMEOUT_S,
        read_timeout_s=LONG_TIMEOUT_S,
        wall_clock_s=LONG_TIMEOUT_S,
    )


def raw_candle(number: int) -> dict[str, Any]:
    """Return the exchange's candle of the half hour `number` before the last closed one."""
    start = TICK - (number + 1) * HALF_HOUR
    price = 1000 + number
    return {
        "market": MARKET,
        "candle_date_time_utc": start.strftime("%Y-%m-%dT%H:%M:%S"),
        "candle_date_time_kst": (start + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S"),
        "opening_price": price,
        "high_price": price + 2,
        "low_price": price - 2,
        "trade_price": price + 1,
        "timestamp": int((start + timedelta(minutes=29)).timestamp() * 1000),
        "candle_acc_trade_price": 5000,
        "candle_acc_trade_volume": 5,
        "unit": 30,
    }


def candle(number: int, **changes: Any) -> MinuteCandle:
    """Return the parsed candle, with `changes`."""
    return MinuteCandle.model_validate({**raw_candle(number), **changes})


def candles(count: int = 200, without: Sequence[int] = ()) -> list[MinuteCandle]:
    """Return `count` candles, newest first as the exchange does, none of them in `without`."""
    found: list[MinuteCandle] = []
    number = 0
    while len(found) < count:
        if number not in without:
            found.append(candle(number))
        number += 1
    return found


def walk(count: int, seed: int = 1, start: float = 150_000_000, tick: float = 1000) -> list[Bar]:
    """Return bars of a random walk on the exchange's price grid."""
    random = Random(seed)  # noqa: S311 - a walk that every run repeats
    bars = []
    level = round(start / tick)
    for number in range(count):
        steps = [level := max(1, level + random.randint(-20, 20)) for _ in range(4)]
        prices = [Decimal(repr(tick)) * step for step in steps]
        bars.append(
            Bar(
                TICK - (count - number) * HALF_HOUR,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                Decimal(random.randint(1, 100)),
            )
        )
    return bars


def columns(bars: Sequence[Bar]) -> tuple[list[float], list[float], list[float]]:
    """Return highs, lows and closes."""
    return (
        [float(bar.high) for bar in bars],
        [float(bar.low) for bar in bars],
        [float(bar.close) for bar in bars],
    )
