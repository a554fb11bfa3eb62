"""The sandbox's markets, from markets.csv, by turnover; the last few are invented."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tradingsite.sandbox.quotation.price_grid import E8, GRIDS, Grid


@dataclass(frozen=True, eq=False)  # one object per market, so caches can use its identity as a cheap key
class Market:
    """The constant properties of one market.

    `price` and `turnover` (per day) are typical values in the quote currency, `trades_per_min` is the daily
    mean, `volatility` is relative to KRW-BTC's.
    """

    code: str
    korean_name: str
    english_name: str
    price: Decimal
    turnover: Decimal
    trades_per_min: float
    volatility: float
    grid: Grid

    @property
    def quote(self) -> str:
        return self.code.partition("-")[0]

    @property
    def base(self) -> str:
        return self.code.partition("-")[2]

    @property
    def base_price_e8(self) -> float:
        return float(self.price) * E8


def _market(row: dict[str, str]) -> Market:
    return Market(
        code=row["market"],
        korean_name=row["korean_name"],
        english_name=row["english_name"],
        price=Decimal(row["price"]),
        turnover=Decimal(row["turnover"]),
        trades_per_min=float(row["trades_per_min"]),
        volatility=float(row["volatility"]),
        grid=GRIDS[row["market"].partition("-")[0]],
    )


@cache
def markets() -> Mapping[str, Market]:
    with Path(__file__).with_name("markets.csv").open(encoding="utf-8", newline="") as file:
        rows = [_market(row) for row in csv.DictReader(file)]
    return MappingProxyType({market.code: market for market in rows})
