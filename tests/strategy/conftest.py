"""A peer, a clock, and a desk with a sandbox of its own."""

from datetime import timedelta

import pytest

from tests.clients.peer import Peer, Ticking
from tests.sandbox.limits import GENEROUS
from tests.strategy.desk import Desk
from tests.strategy.market import MARKET, TICK
from tradingsite.clients.gemini.generation import GeminiModel
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.sandbox.options import GEMINI_KEY, Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def peer():
    with Peer().running() as running:
        yield running


@pytest.fixture
def ticking():
    return Ticking()


class Wall:
    """The sandbox's clock: it shows what it is set to."""

    def __init__(self):
        self.at = TICK

    def __call__(self):
        return self.at.timestamp()


@pytest.fixture(scope="session")
def wall():
    return Wall()


@pytest.fixture(scope="session")
def noon(wall):
    """A sandbox in which it is two seconds past noon until a test sets the wall clock."""
    with SandboxServer(clock=wall, options=Options(limits=GENEROUS)) as sandbox:
        yield sandbox


@pytest.fixture
def desk(noon, wall, ticking):
    wall.at = TICK + timedelta(seconds=2)
    noon.requests.clear()
    exchange = UpbitClient(noon.url, retries=0, clock=ticking.clock)
    [ticker] = exchange.tickers([MARKET])
    yield Desk(noon, exchange, GeminiModel(noon.url, GEMINI_KEY), ticker.trade_price)
    noon.faults.clear()
    noon.model.queued.clear()
