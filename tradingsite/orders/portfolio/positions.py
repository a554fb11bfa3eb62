"""What the trader holds, paid, won and lost, by its own fills (docs/positions.md P1 to P4, P8)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from django.db import connection
from django.utils import timezone

from tradingsite.korean_day import start_of_day
from tradingsite.risk.inputs import Position

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Products of the columns' widest numbers fit; the usual 28 digits would round sums in silence."""
MIN_TOTAL_KRW = Decimal(5000)
"""Upbit takes no order of KRW markets below it."""
_SMALLEST = Decimal("1e-16")
"""Of won: what the columns keep. Shares are rounded to it and the rest stays, so that sums agree exactly."""


@dataclass(slots=True)
class Holding:
    """One market's books, in won and coins. `volume` is 0 for a market that was sold out."""

    market: str
    volume: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    """Paid for what is left, fees in."""
    realised: Decimal = Decimal(0)
    """Won or lost by all sells ever, fees of both sides in."""
    realised_today: Decimal = Decimal(0)
    """The same by the sells since 00:00 in Korea."""
    oversold: Decimal = Decimal(0)
    """Coins that our orders sold and never bought: they were not ours, nor is what they brought."""

    @property
    def average_price(self) -> Decimal | None:
        """Return the cost of one coin, fees in; None when nothing is held."""
        return self.cost / self.volume if self.volume else None

    @property
    def position(self) -> Position:
        return Position(self.market, self.volume, self.cost)

    def unrealised(self, price: Decimal) -> Decimal:
        """Return what selling all at `price` would win or lose, before the fee of that sell."""
        return self.volume * price - self.cost

    def _bought(self, volume: Decimal, paid: Decimal) -> None:
        self.volume += volume
        self.cost += paid

    def _sold(self, volume: Decimal, got: Decimal, *, today: bool) -> None:
        ours = min(volume, self.volume)
        result = _share(got, ours, volume)
        if ours:
            paid = _share(self.cost, ours, self.volume)
            self.volume -= ours
            self.cost -= paid
            result -= paid
        self.oversold += volume - ours
        self.realised += result
        if today:
            self.realised_today += result


def position(market: str) -> Position:
    """Return what the trader holds of `market` by its own fills; volume and cost are 0 when nothing."""
    found = _books(timezone.now(), market)
    return found[0].position if found else Position(market, Decimal(0), Decimal(0))


def positions(at: datetime | None = None) -> list[Holding]:
    """Return the books of every market that was ever traded, by name; sold-out ones have volume 0.

    Args:
        at: the moment whose day in Korea is today; default: now. All fills count, also later ones.
    """
    return _books(at or timezone.now(), None)


def is_dust(volume: Decimal, price: Decimal) -> bool:
    """Return whether something is held, but too little to be sold at `price`."""
    return 0 < volume * price < MIN_TOTAL_KRW


def _books(at: datetime, market: str | None) -> list[Holding]:
    books: dict[str, Holding] = {}
    with connection.cursor() as cursor, localcontext(_EXACT):
        cursor.execute(_TRADES, {"market": market, "today": start_of_day(at)})
        for code, side, volume, funds, fee, today in cursor.fetchall():
            book = books.setdefault(code, Holding(code))
            if side == "bid":
                book._bought(volume, funds + fee)  # noqa: SLF001 - the books are written here only
            else:
                book._sold(volume, funds - fee, today=today)  # noqa: SLF001 - as above
    return list(books.values())


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return amount if part == whole else (amount * part / whole).quantize(_SMALLEST)


# An order's fills of one day are one row, which folds faster than the fills would. The exchange reports one
# fee an order: the part of an order's second day is what the first day's part leaves of it.
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
