"""The trader's steps at the sandbox's exchange, one by one, with a clock moved by the test."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sysconfig.models import SystemConfig
from tests.orders.book import buy_signal
from tests.orders.venue import Venue
from tradingsite.clients.deadline import Clock
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.marketdata.collection import collect
from tradingsite.marketdata.windows import read_windows
from tradingsite.orders.execution import intents, signal_order, submission
from tradingsite.orders.execution.intents import Intent
from tradingsite.orders.models import Order, Side
from tradingsite.orders.reconciliation.round import reconcile
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.strategy.models import TradingSignal

MARKET = "KRW-BTC"


class Trader:
    """Acts at `venue`; each step begins where the one before has left the clock."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.clock = Clock(monotonic=lambda: venue.at.timestamp(), sleep=self.wait)  # noqa: PLW0108 - `at` moves

    def wait(self, seconds: float) -> None:
        self.venue.later(seconds)

    def fail_post(self, kind: str, **more: Any) -> None:
        self.fail(kind, "POST", "/v1/orders", **more)

    def fail_lookup(self, kind: str, **more: Any) -> None:
        self.fail(kind, "GET", "/v1/order", **more)

    def fail(self, kind: str, method: str, path: str, **more: Any) -> None:
        self.venue.server.faults.add(Fault(kind, path=path, method=method, **more))

    def see_prices(self, *markets: str) -> None:
        client = UpbitClient(self.venue.server.url, retries=0, clock=self.venue.client.clock)
        collect(client, markets or [MARKET], self.venue.at)

    def signal(self, decision: str = "BUY", market: str = MARKET) -> TradingSignal:
        (window,) = read_windows([market], self.venue.at)
        at = self.venue.at
        return buy_signal(
            market=market, decision=decision, price=window.price, as_of=at, confidence=Decimal("0.9")
        )

    def act(self, signal: TradingSignal, client: UpbitExchange | None = None, **more: Any) -> Order:
        facts = {"synced": True, "volatility_checked_at": self.venue.at, "at": self.venue.at, **more}
        config = SystemConfig.objects.snapshot()
        return signal_order.order_from_signal(
            signal, config, client or self.venue.client, **facts, **self._sending()
        )

    def buy(self, funds: int = 10_000, market: str = MARKET) -> Order:
        """Write the intent of a buy and commit it; nothing is sent."""
        return self.intend(Side.BID, market, funds=Decimal(funds), signal=buy_signal(market=market))

    def sell(self, volume: Decimal, market: str = MARKET) -> Order:
        return self.intend(Side.ASK, market, volume=volume)

    def intend(self, side: Side, market: str, **facts: Any) -> Order:
        facts["krw_before"] = self.venue.balance("KRW")
        facts["coin_before"] = self.venue.balance(market.removeprefix("KRW-"))
        with intents.market_lock(market):
            return intents.record(Intent(market, side, price=Decimal(1), **facts), self.venue.at)

    def send(self, order: Order, client: UpbitExchange | None = None, **more: Any) -> Order:
        return submission.submit(client or self.venue.client, order, **{**self._sending(), **more})

    def sync(self, client: UpbitExchange | None = None, *, minutes: float = 5) -> dict[str, int]:
        """Reconcile `minutes` after the last step."""
        return self.sync_at(self.venue.at + timedelta(minutes=minutes), client)

    def sync_at(self, moment: datetime, client: UpbitExchange | None = None) -> dict[str, int]:
        """Reconcile at `moment`, which is in the future; the round may end later."""
        self.wait((moment - self.venue.at).total_seconds())
        return dict(reconcile(client or self.venue.client, self.venue.at, clock=self.clock))

    def _sending(self) -> dict[str, Any]:
        now: Callable[[], Any] = lambda: self.venue.at  # noqa: E731 - `at` moves
        return {"clock": self.clock, "now": now}

    @property
    def exchange_orders(self) -> list[tuple[str | None, str]]:
        """Return the identifier and state of each order at the exchange."""
        return [(order.identifier, order.state) for order in self.venue.server.exchange.orders()]

    @property
    def posts(self) -> int:
        return len(self.venue.server.exchange.posts)
