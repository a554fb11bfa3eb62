"""Collecting and judging 246 markets, on a database of its own: next to a bare COPY, and to calm markets."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.report import measured
from benchmarks.timing import say

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")  # each halt is a line
django.setup()

from django.db import connection, transaction  # noqa: E402 - after setup

from tests.healthcheck.databases import pooled  # noqa: E402 - after setup
from tests.sysconfig.processes.house import running_server  # noqa: E402 - after setup
from tradingsite.marketdata.collection import collect  # noqa: E402 - after setup
from tradingsite.risk.volatility import VolatilityLimits, check_limits  # noqa: E402 - after setup

MARKETS = tuple(f"KRW-M{number:03}" for number in range(246))
TEN_S = timedelta(seconds=10)
TICKS, POLLS, CHECKS = 60, 30, 15
NOON = datetime(2026, 1, 5, 12, 0, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Price:
    market: str
    trade_price: Decimal
    trade_timestamp: datetime


@dataclass
class Exchange:
    """Answers every market at `price`, last traded at `traded_at`."""

    traded_at: datetime
    price: Decimal = Decimal("1234.5")

    def tickers(self, markets: Sequence[str], *, within_s: float) -> Sequence[Price]:
        return [Price(market, self.price, self.traded_at) for market in markets]

    def markets(self, *, within_s: float) -> Sequence[Price]:
        return self.tickers(MARKETS, within_s=within_s)


def storing() -> None:
    """Store ticks in which every price is new, and as many rows by COPY into a table of the same shape."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE copied (LIKE ticker INCLUDING ALL)")
    times: dict[str, list[float]] = {"ours": [], "copy": []}
    for number in range(TICKS):
        at = NOON + TEN_S * number
        exchange = Exchange(at - timedelta(seconds=1))
        times["ours"].append(_ms(partial(collect, exchange, MARKETS, at)))
        times["copy"].append(_ms(partial(_copy, at)))
    ours, copy = map(statistics.median, times.values())
    measured("markets.tick", ours, copy, f"the median of {TICKS} each, in turn; the poll's own row included")


def _copy(at: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        raw: Any = cursor.cursor
        with raw.copy("COPY copied FROM STDIN") as copy:
            for market in MARKETS:
                copy.write_row((market, at, Decimal("1234.5"), at, at))


def repeated_poll() -> None:
    """Poll although nothing was traded, and count what the server writes ahead."""
    exchange = Exchange(NOON)
    at = NOON + timedelta(days=1)
    collect(exchange, MARKETS, at)
    before = _wal_position()
    for number in range(1, POLLS + 1):
        collect(exchange, MARKETS, at + TEN_S * number)
    measured("markets.wal", (_wal_position() - before) / POLLS / 1024, note=f"the mean of {POLLS} polls")


def _wal_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        (position,) = cursor.fetchone()
    return int(position)


def halted() -> None:
    """Check calm markets; then let all of them jump, and check them again while they are halted."""
    limits = VolatilityLimits(MARKETS, threshold_pct=Decimal(3), cooldown=timedelta(minutes=15))
    begins = NOON + timedelta(days=2)
    checked_at = _polled(begins, Decimal(100))
    calm = _checks(limits, checked_at)
    checked_at = _polled(checked_at, Decimal(110), POLLS // 2)  # the old price is still in the window
    begun = check_limits(limits, checked_at)["begun"]
    if begun != len(MARKETS):
        raise ValueError(f"{begun} markets were halted, not {len(MARKETS)}")
    measured("markets.halted", _checks(limits, checked_at), calm, f"the median of {CHECKS} checks each")


def _polled(begins: datetime, price: Decimal, polls: int = POLLS) -> datetime:
    """Poll at one price, for five minutes by default; return when the next check would be due."""
    for number in range(polls):
        at = begins + TEN_S * number
        collect(Exchange(at, price), MARKETS, at)
    return at + timedelta(seconds=5)


def _checks(limits: VolatilityLimits, at: datetime) -> float:
    return statistics.median(_ms(partial(check_limits, limits, at)) for _ in range(CHECKS))


def _ms(call: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    call()
    return (time.perf_counter() - begun_s) * 1000


def main() -> None:
    """Measure in this process, on a database server of its own."""
    say("first a database is made, 5 s")
    with running_server() as db_server:
        settings = connection.settings_dict
        place = {"HOST": str(db_server.server.use()), "PORT": "5432"}
        settings.update({"EMBEDDED_DIR": None, "NAME": "postgres", "USER": "postgres", **place})
        try:
            for part in (storing, repeated_poll, halted):
                part()
        finally:
            connection.close()
            pooled().close_pool()


if __name__ == "__main__":
    main()
