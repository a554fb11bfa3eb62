"""A server on loopback, a clock moved by hand, and clients that use both."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients import samples
from tests.clients.peer import LONG_TIMEOUT_S, FakeClock, Peer, extend_timeouts
from tests.clients.samples import ACCESS_KEY, SECRET_KEY
from tradingsite.clients.gemini.client import GeminiClient
from tradingsite.clients.gemini.generation import GeminiModel
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer().running() as running:
        yield running


@pytest.fixture
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    extend_timeouts(monkeypatch)
    return FakeClock()


@pytest.fixture
def make_client(peer: Peer, fake_clock: FakeClock) -> Callable[..., UpbitClient]:
    def make(*, retries: int = 0, **options: Any) -> UpbitClient:
        return UpbitClient(peer.url, **{"retries": retries, "clock": fake_clock.clock, **options})

    return make


@pytest.fixture
def client(make_client: Callable[..., UpbitClient]) -> UpbitClient:
    """Without retries, under the fake clock."""
    return make_client()


@pytest.fixture
def make_exchange(peer: Peer, fake_clock: FakeClock) -> Callable[..., UpbitExchange]:
    def make(*, retries: int = 0, **options: Any) -> UpbitExchange:
        return UpbitExchange(
            peer.url,
            ACCESS_KEY,
            SECRET_KEY,
            **{"retries": retries, "clock": fake_clock.clock, **options},
        )

    return make


@pytest.fixture
def exchange(make_exchange: Callable[..., UpbitExchange]) -> UpbitExchange:
    """Without retries, under the fake clock."""
    return make_exchange()


@pytest.fixture
def make_gemini(peer: Peer) -> Callable[..., GeminiClient]:
    def make(api_key: str = "key-for-tests", **options: Any) -> GeminiClient:
        timeouts = {"read_timeout_s": LONG_TIMEOUT_S, "wall_clock_s": LONG_TIMEOUT_S}
        return GeminiClient(peer.url, api_key, **{**timeouts, **options})

    return make


@pytest.fixture
def saturated_address() -> Iterator[tuple[str, int]]:
    """An address whose queue of connections is full: it never answers a connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queued = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            queued.append(client)
        yield address
        for client in queued:
            client.close()


@pytest.fixture
def model(peer: Peer) -> GeminiModel:
    return GeminiModel(
        peer.url, samples.MODEL_KEY, user_agent="tradingsite/test", connect_timeout_s=LONG_TIMEOUT_S
    )
