"""The sandbox's exchange with a clock moved by the test, and orders booked as the trader does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from tests.clients.peer import FakeClock, extend_timeouts
from tests.orders import trades
from tests.sandbox.limits import GENEROUS
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.outcome import Accepted
from tradingsite.orders.models import Order
from tradingsite.sandbox.options import ApiKey, Options
from tradingsite.sandbox.server import SandboxServer

NOON = datetime(2026, 1, 5, 12, 0, 5, tzinfo=UTC)
START_KRW = Decimal(10_000_000)


class Venue:
    """A sandbox with our key; `at` is its time. Orders fill 0.3 s after they were accepted."""

    def __init__(self) -> None:
        self.at = NOON
        self._numbers = count(1)
        options = Options(limits=GENEROUS)
        self.server = SandboxServer(clock=lambda: self.at.timestamp(), options=options)  # noqa: PLW0108 - `at` moves
        key = ApiKey()
        self.client = UpbitExchange(
            self.server.url, key.access_key, key.secret_key, retries=0, clock=FakeClock().clock
        )

    @property
    def requests(self) -> list[str]:
        """The requests so far, as "GET /v1/accounts"."""
        return [f"{each.request.method} {each.request.path}" for each in self.server.requests]

    def later(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at

    def balance(self, currency: str) -> Decimal:
        """Return what the account has of it, locked or not."""
        purse = self.server.exchange.balances().get(currency)
        return purse.balance + purse.locked if purse else Decimal(0)

    def place(self, market: str, side: str, amount, identifier: str = "") -> str:
        """Place a market order without booking it; return its uuid."""
        buy = side == "bid"
        request = OrderRequest(
            market,
            side,
            "price" if buy else "market",
            identifier or f"foreign-{next(self._numbers)}",
            Decimal(amount) if buy else None,
            None if buy else Decimal(amount),
        )
        outcome = self.client.place(request)
        assert isinstance(outcome, Accepted)
        return outcome.order.uuid

    def bought(self, market: str, funds) -> Order:
        """Buy as the trader does: on the exchange and in our books."""
        uuid = self.place(market, "bid", funds, f"ours-{next(self._numbers)}")
        return self._booked(uuid, funds=funds)

    def sold(self, market: str, volume) -> Order:
        return self._booked(self.place(market, "ask", volume, f"ours-{next(self._numbers)}"))

    def _booked(self, uuid: str, **facts) -> Order:
        self.later(1)
        placed = self.client.order(uuid=uuid)
        fills = [(trade.price, trade.volume) for trade in placed.trades]
        write = trades.bought if placed.side == "bid" else trades.sold
        return write(
            placed.market,
            *fills,
            at=placed.trades[0].created_at,
            fee=placed.paid_fee,
            identifier=placed.identifier,
            uuid=placed.uuid,
            state="DONE" if placed.state == "done" else "CANCELLED",
            **facts,
        )


@contextmanager
def open_venue() -> Iterator[Venue]:
    venue = Venue()
    with venue.server, pytest.MonkeyPatch.context() as patch:
        extend_timeouts(patch)
        yield venue
