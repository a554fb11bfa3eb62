"""The clients against the sandbox's exchange and model host."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.clients.peer import LONG_TIMEOUT_S, FakeClock
from tests.sandbox.limits import GENEROUS
from tradingsite.clients.errors import KeyRejected, NotFound, RateLimited, Rejected
from tradingsite.clients.gemini.client import GeminiClient
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.sandbox.limits import Limit
from tradingsite.sandbox.options import GEMINI_KEY, Options
from tradingsite.sandbox.server import SandboxServer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def open_sandbox(fake_clock: FakeClock) -> Iterator[Callable[..., SandboxServer]]:
    """Sandboxes whose time is the fake clock's."""
    open_servers: list[SandboxServer] = []

    def make(**options: Any) -> SandboxServer:
        started = NOON.timestamp() - fake_clock.now
        server = SandboxServer(clock=lambda: started + fake_clock.now, options=Options(**options))
        open_servers.append(server.__enter__())
        return server

    yield make
    for server in open_servers:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    """Its clock shows noon for ever, and it has no rate limits to speak of."""
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield server


@pytest.fixture
def trader(sandbox, fake_clock) -> UpbitClient:
    return UpbitClient(sandbox.url, retries=0, clock=fake_clock.clock)


def test_quotation_client_reads_every_sandbox_endpoint(trader):
    [ticker] = trader.tickers(["KRW-BTC"])
    [orderbook] = trader.orderbooks(["KRW-BTC"])
    codes = [each.market for each in trader.markets()]
    everything = trader.tickers(code for code in codes if code.startswith("KRW-"))

    assert len(codes) >= len(everything) >= 200
    assert next(each for each in everything if each.market == "KRW-BTC") == ticker
    assert NOON - timedelta(hours=1) < ticker.trade_timestamp <= NOON
    assert orderbook.orderbook_units[0].bid_price < orderbook.orderbook_units[0].ask_price


def test_candle_pages_are_contiguous_and_newest_first(trader):
    page = trader.candles("KRW-BTC", 1, 200)
    older = trader.candles("KRW-BTC", 1, 200, page[-1].candle_date_time_utc)

    times = [candle.candle_date_time_utc for candle in page + older]
    assert len(times) == 400
    assert all(later > earlier for later, earlier in pairwise(times))


def test_numeric_strings_parse_to_the_same_values(trader, open_sandbox, fake_clock):
    other = UpbitClient(open_sandbox(numeric_strings=True).url, retries=0, clock=fake_clock.clock)

    assert other.orderbooks(["KRW-BTC", "KRW-ETH"]) == trader.orderbooks(["KRW-BTC", "KRW-ETH"])
    assert other.candles("KRW-BTC", 1, 200) == trader.candles("KRW-BTC", 1, 200)


def test_unknown_market_is_not_found(trader):
    with pytest.raises(NotFound) as caught:
        trader.tickers(["KRW-BTC", "KRW-NOSUCH"])

    assert caught.value.name == "404"


def test_client_rate_limit_never_triggers_a_429(open_sandbox, fake_clock):
    sandbox = open_sandbox()
    client = UpbitClient(sandbox.url, retries=0, clock=fake_clock.clock)

    for _ in range(40):
        client.tickers(["KRW-BTC"], within_s=2)
        fake_clock.now += 0.01

    assert {answered.status for answered in sandbox.requests} == {200}


def test_remaining_req_header_never_triggers_a_429(open_sandbox, fake_clock):
    sandbox = open_sandbox(limits={"ticker": Limit(1)})
    client = UpbitClient(sandbox.url, retries=0, clock=fake_clock.clock)

    for _ in range(5):
        client.tickers(["KRW-BTC"])

    assert fake_clock.slept == [1] * 4


@pytest.mark.parametrize("plain_text_429", [True, False])
def test_client_waits_and_retries_after_a_429(open_sandbox, fake_clock, plain_text_429):
    sandbox = open_sandbox(limits={"ticker": Limit(0)}, plain_text_429=plain_text_429)
    client = UpbitClient(sandbox.url, retries=1, clock=fake_clock.clock)

    with pytest.raises(RateLimited, match="429: Too many API requests"):
        client.tickers(["KRW-BTC"])

    assert fake_clock.slept == [1]


def test_ban_lasts_as_long_as_the_sandbox_says(open_sandbox, fake_clock):
    sandbox = open_sandbox(limits={"ticker": Limit(0)}, refusals_before_block=1, first_block_s=10)
    client = UpbitClient(sandbox.url, retries=3, clock=fake_clock.clock)

    with pytest.raises(RateLimited) as caught:
        client.tickers(["KRW-BTC"])
    with pytest.raises(RateLimited):
        client.tickers(["KRW-BTC"])

    assert caught.value.banned
    assert caught.value.retry_after_s == 10
    assert len(sandbox.requests) == 1


def test_gemini_client_reads_models_of_the_sandbox(sandbox):
    client = GeminiClient(sandbox.url, GEMINI_KEY, read_timeout_s=LONG_TIMEOUT_S, wall_clock_s=LONG_TIMEOUT_S)

    assert client.model("gemini-3.5-flash-lite").input_token_limit == 1048576
    with pytest.raises(NotFound):
        client.model("gemini-0-none")
    with pytest.raises(Rejected, match="does not support generateContent"):
        client.model("gemini-embedding-001")


def test_sandbox_refuses_an_unknown_gemini_key(sandbox):
    with pytest.raises(KeyRejected, match="the API key is not valid") as caught:
        GeminiClient(
            sandbox.url, "another-key", read_timeout_s=LONG_TIMEOUT_S, wall_clock_s=LONG_TIMEOUT_S
        ).model("gemini-3.5-flash-lite")

    assert caught.value.name == "API_KEY_INVALID"
