"""A sandbox whose clock shows noon for ever, and requests to it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

NOON = datetime(2026, 11, 22, 12, 0, 30, 500_000, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)

Get = Callable[..., requests.Response]


class Clock:
    """Seconds since 1970; a test moves them."""

    def __init__(self) -> None:
        self.now_s = NOON.timestamp()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="session")
def noon_sandbox():
    """One server for all tests that only read and need no rate limits."""
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield server


def getter(session: requests.Session, server: SandboxServer) -> Get:
    def get(path: str, /, **params: Any) -> requests.Response:
        return session.get(server.url + path, params=params, timeout=30)

    return get


@pytest.fixture
def get(session, noon_sandbox):
    return getter(session, noon_sandbox)
