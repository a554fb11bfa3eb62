"""A sandbox in which it is always noon, and a way to ask it."""

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

Ask = Callable[..., requests.Response]


class Clock:
    """Seconds since 1970 that pass only when told to."""

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
    """One server for all tests that only read and do not care about limits."""
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield server


def asking(session: requests.Session, server: SandboxServer) -> Ask:
    def ask(path: str, /, **params: Any) -> requests.Response:
        return session.get(server.url + path, params=params, timeout=10)

    return ask


@pytest.fixture
def ask(session, noon_sandbox):
    return asking(session, noon_sandbox)
