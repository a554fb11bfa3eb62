"""A peer on loopback, a clock that does not sleep, and clients made of both."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients import samples
from tests.clients.peer import PATIENCE_S, Peer, Ticking
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
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def make_client(peer: Peer, ticking: Ticking) -> Callable[..., UpbitClient]:
    def make(*, retries: int = 0, **options: Any) -> UpbitClient:
        return UpbitClient(
            peer.url, retries=retries, clock=ticking.clock, read_timeout_s=PATIENCE_S, **options
        )

    return make


@pytest.fixture
def client(make_client: Callable[..., UpbitClient]) -> UpbitClient:
    """Without retries, under the ticking clock."""
    return make_client()


@pytest.fixture
def make_exchange(peer: Peer, ticking: Ticking) -> Callable[..., UpbitExchange]:
    def make(*, retries: int = 0, **options: Any) -> UpbitExchange:
        return UpbitExchange(
            peer.url,
            ACCESS_KEY,
            SECRET_KEY,
            **{"retries": retries, "clock": ticking.clock, "read_timeout_s": PATIENCE_S, **options},
        )

    return make


@pytest.fixture
def exchange(make_exchange: Callable[..., UpbitExchange]) -> UpbitExchange:
    """Without retries, under the ticking clock."""
    return make_exchange()


@pytest.fixture
def make_gemini(peer: Peer) -> Callable[..., GeminiClient]:
    def make(api_key: str = "key-for-tests", **options: Any) -> GeminiClient:
        patience = {"read_timeout_s": PATIENCE_S, "wall_clock_s": PATIENCE_S}
        return GeminiClient(peer.url, api_key, **{**patience, **options})

    return make


@pytest.fixture
def full_house() -> Iterator[tuple[str, int]]:
    """An address whose queue of connections is full: a connect gets no answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(3):
            guest = socket.socket()
            guest.setblocking(False)
            guest.connect_ex(address)
            waiting.append(guest)
        yield address
        for guest in waiting:
            guest.close()


@pytest.fixture
def model(peer: Peer) -> GeminiModel:
    return GeminiModel(peer.url, samples.MODEL_KEY, user_agent="tradingsite/test")
