"""Price ticks: the allowed prices of each quote currency (docs/sandbox.md S6)."""

from bisect import bisect_right
from decimal import Decimal

E8 = 10**8


def e8(text: str | int) -> int:
    """Return a decimal number in units of 1e-8; it must have at most eight decimals.

    >>> e8("0.5")
    50000000
    """
    return int(Decimal(text) * E8)


def from_e8(number: int) -> Decimal:
    """Return a number of 1e-8 units as a Decimal without trailing zeros.

    >>> from_e8(14_850_000_000), from_e8(1)
    (Decimal('148.5'), Decimal('1E-8'))
    """
    return Decimal(number).scaleb(-8).normalize()


# Lowest price and its tick.
_TABLES = {
    "KRW": (
        ("1000000", "1000"),
        ("500000", "500"),
        ("100000", "100"),
        ("50000", "50"),
        ("10000", "10"),
        ("5000", "5"),
        ("100", "1"),
        ("10", "0.1"),
        ("1", "0.01"),
        ("0.1", "0.001"),
        ("0.01", "0.0001"),
        ("0.001", "0.00001"),
        ("0.0001", "0.000001"),
        ("0.00001", "0.0000001"),
        ("0", "0.00000001"),
    ),
    "BTC": (("0", "0.00000001"),),
    "USDT": (
        ("10", "0.01"),
        ("1", "0.001"),
        ("0.1", "0.0001"),
        ("0.01", "0.00001"),
        ("0.001", "0.000001"),
        ("0.0001", "0.0000001"),
        ("0", "0.00000001"),
    ),
}


class Grid:
    """The allowed prices of one quote currency.

    A threshold is a multiple of the ticks on both sides of it.
    """

    def __init__(self, quote: str) -> None:
        rows = sorted((e8(start), e8(tick)) for start, tick in _TABLES[quote])
        self._starts = [start for start, _ in rows]
        self._ticks = [tick for _, tick in rows]

    def tick(self, price_e8: int) -> int:
        """Return the distance from this price to the next higher one."""
        return self._ticks[bisect_right(self._starts, price_e8) - 1]

    def below(self, price_e8: int) -> int:
        """Return the next lower price; 0 if there is none."""
        return price_e8 - self.tick(price_e8 - 1)

    def nearest(self, price_e8: float) -> int:
        """Return the closest allowed price, at least one tick. Keeps the order of two prices."""
        tick = self._ticks[bisect_right(self._starts, price_e8) - 1]
        return max(1, round(price_e8 / tick)) * tick


GRIDS = {quote: Grid(quote) for quote in _TABLES}
