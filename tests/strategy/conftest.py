"""A server with scripted replies, clocks moved by the test, and a desk with its own sandbox."""

from datetime import timedelta

import pytest

from tests.clients.peer import LONG_TIMEOUT_S, FakeClock, Peer, extend_timeouts
from tests.sandbox.limits import GENEROUS
from tests.strategy.desk import Desk
from tests.strategy.market import MARKET, TICK, patient_client
from tradingsite.clients.gemini.generation import GeminiModel
from tradingsite.sandbox.options import GEMINI_KEY, Options
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy import probes


@pytest.fixture
def peer():
    with Peer().running() as running:
        yield running


@pytest.fixture
def fake_clock():
    return FakeClock()


@pytest.fixture
def client_with_replies(peer, fake_clock):
    """Return a function that makes a client of an exchange with these replies."""

    def client_with_replies(*replies):
        peer.script(*replies)
        return patient_client(peer.url, fake_clock.clock)

    return client_with_replies


@pytest.fixture
def patient_probes(monkeypatch):
    extend_timeouts(monkeypatch)
    monkeypatch.setattr(probes, "WITHIN_S", LONG_TIMEOUT_S)


class SandboxClock:
    """The sandbox's clock; a test sets it."""

    def __init__(self):
        self.at = TICK

    def __call__(self):
        return self.at.timestamp()


@pytest.fixture(scope="session")
def sandbox_clock():
    return SandboxClock()


@pytest.fixture(scope="session")
def noon_sandbox(sandbox_clock):
    """A sandbox whose clock shows noon until a test sets it."""
    with SandboxServer(clock=sandbox_clock, options=Options(limits=GENEROUS)) as sandbox:
        yield sandbox


@pytest.fixture
def desk(noon_sandbox, sandbox_clock, fake_clock):
    sandbox_clock.at = TICK + timedelta(seconds=2)
    noon_sandbox.requests.clear()
    exchange = patient_client(noon_sandbox.url, fake_clock.clock)
    [ticker] = exchange.tickers([MARKET])
    yield Desk(
        noon_sandbox,
        exchange,
        GeminiModel(noon_sandbox.url, GEMINI_KEY, connect_timeout_s=LONG_TIMEOUT_S),
        ticker.trade_price,
    )
    noon_sandbox.faults.clear()
    noon_sandbox.model.queued.clear()
