"""Everything a decision is based on, as on an ordinary day; a test changes one part."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sysconfig.models import SystemConfig
from tests.strategy.market import MARKET, TICK
from tradingsite.clients.gemini.generation import GeminiModel
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.risk.inputs import Position
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy import evaluation
from tradingsite.strategy.models import TradingSignal

NO_POSITION = Position(MARKET, Decimal(0), Decimal(0))


@dataclass(frozen=True)
class Desk:
    """One decision at `at`, with the sandbox as exchange and model host."""

    sandbox: SandboxServer
    exchange: UpbitClient
    model: GeminiModel
    price: Decimal | None
    tick: datetime = TICK
    after: timedelta = timedelta(seconds=2)
    seen_before: timedelta | None = timedelta(seconds=3)
    position: Position = NO_POSITION
    within_s: float = 30

    @property
    def at(self) -> datetime:
        return self.tick + self.after

    def decide(self, **changes: Any) -> TradingSignal:
        """Return the signal as it is stored."""
        desk = replace(self, **changes)
        signal = evaluation.decide(
            MARKET,
            desk.tick,
            desk.at,
            SystemConfig.objects.snapshot(),
            desk.exchange,
            desk.model,
            position=desk.position,
            price=desk.price,
            price_seen_at=None if desk.seen_before is None else desk.at - desk.seen_before,
            within_s=desk.within_s,
        )
        return TradingSignal.objects.get(pk=signal.pk)

    def model_requests(self, path: str = ":generateContent") -> int:
        """Return the number of requests to paths with this end."""
        return sum(each.request.path.endswith(path) for each in self.sandbox.requests)
