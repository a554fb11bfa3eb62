"""An exchange with a book that does not move, so that a test can choose prices to the won."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sandbox.conftest import NOON_MS
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.matching import Offer
from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.exchange.serialization import order_json
from tradingsite.sandbox.exchange.terms import read

PLENTY = "1000"


def offers(*levels: tuple[str, str]) -> list[Offer]:
    return [Offer(Decimal(price), Decimal(volume)) for price, volume in levels]


@dataclass
class StillVenue:
    """A venue with one book for all markets; `traded` holds the trades of others, as time and price."""

    asks: Sequence[Offer] = ()
    bids: Sequence[Offer] = ()
    traded: list[tuple[int, Decimal]] = field(default_factory=list)

    def offers(self, market: str, side: str, at_ms: int) -> Sequence[Offer]:
        return self.asks if side == "bid" else self.bids

    def reached_ms(self, order: Order, after_ms: int, until_ms: int) -> int | None:
        limit = order.price or Decimal()
        for at_ms, price in self.traded:
            reached = price <= limit if order.side == "bid" else price >= limit
            if reached and after_ms < at_ms <= until_ms:
                return at_ms
        return None


class Desk:
    """The exchange, its clock, and a way to trade without HTTP."""

    def __init__(self, venue: StillVenue, state_file: Path | None = None, **options: Any) -> None:
        self.venue = venue
        self.now_ms = NOON_MS
        self.exchange = Exchange(venue, lambda: self.now_ms, state_file=state_file, **options)

    def place(self, **body: str) -> dict[str, object]:
        """Return the answer to the POST. Raises `Denied`."""
        with self.exchange.at(self.now_ms):
            wanted = read({"market": "KRW-BTC", **body})
            return order_json(self.exchange.accept(wanted, self.now_ms))

    def buy(self, total: str, **body: str) -> dict[str, object]:
        return self.place(side="bid", ord_type="price", price=total, **body)

    def sell(self, volume: str, **body: str) -> dict[str, object]:
        return self.place(side="ask", ord_type="market", volume=volume, **body)

    def limit(self, side: str, price: str, volume: str, **body: str) -> dict[str, object]:
        return self.place(side=side, ord_type="limit", price=price, volume=volume, **body)

    def wait(self, ms: int = 300) -> None:
        self.now_ms += ms

    @property
    def last(self) -> Order:
        """The newest order as it is now."""
        return self.exchange.orders()[-1]

    def cancel(self) -> Order:
        order = self.last
        with self.exchange.at(self.now_ms):
            return self.exchange.cancel(order, self.now_ms)

    def purse(self, currency: str) -> tuple[object, object]:
        """Return balance and locked."""
        purse = self.exchange.balances()[currency]
        return purse.balance, purse.locked
