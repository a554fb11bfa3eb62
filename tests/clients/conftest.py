"""A peer on loopback, a clock that does not sleep, and clients made of both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.peer import PATIENCE_S, Peer, Ticking
from tradingsite.clients.gemini import GeminiClient
from tradingsite.clients.upbit import UpbitClient


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
def make_gemini(peer: Peer) -> Callable[..., GeminiClient]:
    def make(api_key: str = "key-for-tests", **options: Any) -> GeminiClient:
        patience = {"read_timeout_s": PATIENCE_S, "wall_clock_s": PATIENCE_S}
        return GeminiClient(peer.url, api_key, **{**patience, **options})

    return make
