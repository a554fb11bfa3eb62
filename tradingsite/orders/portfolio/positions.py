"""Computes positions, cost, and profit or loss from our own fills (docs/positions.md P1-P4, P8)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from django.db import connection
from django.utils import timezone

from tradingsite.korean_day import start_of_day
from tradingsite.risk.inputs import Position

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Holds products of the widest columns exactly; the default of 28 digits would round sums silently."""
MIN_TOTAL_KRW = Decimal(5000)
"""Upbit's minimum for orders in KRW markets."""
_QUANTUM = Decimal("1e-16")
"""The columns' precision in won.

Portions are rounded to it and the remainder is kept, so that sums agree exactly.
"""


@dataclass(slots=True)
class Holding:
    """The position and results of one market, in won and coins. `volume` is 0 after everything was sold."""

    market: str
    volume: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    """Paid for the current volume, including fees."""
    realised: Decimal = Decimal(0)
    """Profit or loss of all sells so far, including the fees of both sides."""
    realised_today: Decimal = Decimal(0)
    """The same for sells since 00:00 in Korea."""
    oversold: Decimal = Decimal(0)
    """Coins that our orders sold but never bought; neither they nor their proceeds count as ours."""

    @property
    def average_price(self) -> Decimal | None:
        """The cost of one coin, including fees; None without a position."""
        return self.cost / self.volume if self.volume else None

    @property
    def position(self) -> Position:
        return Position(self.market, self.volume, self.cost)

    def unrealised(self, price: Decimal) -> Decimal:
        """Return the profit or loss of selling everything at `price`, before that sell's fee."""
        return self.volume * price - self.cost

    def _add_buy(self, volume: Decimal, paid: Decimal) -> None:
        self.volume += volume
        self.cost += paid

    def _add_sell(self, volume: Decimal, got: Decimal, *, today: bool) -> None:
        ours = min(volume, self.volume)
        result = _portion(got, ours, volume)
        if ours:
            paid = _portion(self.cost, ours, self.volume)
            self.volume -= ours
            self.cost -= paid
            result -= paid
        self.oversold += volume - ours
        self.realised += result
        if today:
            self.realised_today += result


def position(market: str) -> Position:
    """Return our position in `market` from our own fills; volume and cost are 0 if there is none."""
    found = _holdings(timezone.now(), market)
    return found[0].position if found else Position(market, Decimal(0), Decimal(0))


def positions(at: datetime | None = None) -> list[Holding]:
    """Return the holding of every market ever traded, by name, even if its volume is 0 now.

    Args:
        at: defines "today" in Korea; default: now. All fills count, also later ones.
    """
    return _holdings(at or timezone.now(), None)


def is_dust(volume: Decimal, price: Decimal) -> bool:
    """Return whether there is a position that is too small to be sold at `price`."""
    return 0 < volume * price < MIN_TOTAL_KRW


def _holdings(at: datetime, market: str | None) -> list[Holding]:
    holdings: dict[str, Holding] = {}
    with connection.cursor() as cursor, localcontext(_EXACT):
        cursor.execute(_TRADES, {"market": market, "today": start_of_day(at)})
        for code, side, volume, funds, fee, today in cursor.fetchall():
            holding = holdings.setdefault(code, Holding(code))
            if side == "bid":
                holding._add_buy(volume, funds + fee)  # noqa: SLF001 - only this module changes a holding
            else:
                holding._add_sell(volume, funds - fee, today=today)  # noqa: SLF001 - as above
    return list(holdings.values())


def _portion(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return amount if part == whole else (amount * part / whole).quantize(_QUANTUM)


# An order's fills of one day are summed to one row, to process fewer rows. The exchange reports one fee per
# order: if its fills span two days, the second day gets what the first day's share leaves of the fee.
_TRADES = """
SELECT placed.market, placed.side, filled.volume, filled.funds,
       CASE WHEN filled.funds = filled.whole THEN placed.paid_fee
            WHEN filled.today
            THEN placed.paid_fee - round(placed.paid_fee * (filled.whole - filled.funds) / filled.whole, 16)
            ELSE round(placed.paid_fee * filled.funds / filled.whole, 16) END,
       filled.today
FROM (
    SELECT order_id, traded_at >= %(today)s AS today, sum(volume) AS volume, sum(funds) AS funds,
           sum(sum(funds)) OVER (PARTITION BY order_id) AS whole, min(traded_at) AS at, min(id) AS first_id
    FROM fill
    WHERE %(market)s::text IS NULL OR order_id IN (SELECT id FROM trading_order WHERE market = %(market)s)
    GROUP BY order_id, traded_at >= %(today)s
) AS filled
JOIN trading_order AS placed ON placed.id = filled.order_id
ORDER BY placed.market, filled.at, filled.first_id
"""
