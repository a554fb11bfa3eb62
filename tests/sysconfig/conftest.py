"""Keys and threads for the tests of runtime configuration."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, Rule
from sysconfig.value_types import BOOL, INTEGER, NUMBER, TEXT, Items

ENABLED = ConfigKey("t_enabled", BOOL, default=False, group="Test")
COUNT = ConfigKey("t_count", INTEGER, default=5, limits=(0, 10), unit="things", group="Test")
LEAST = ConfigKey("t_least", NUMBER, default=Decimal("1.0"), limits=(Decimal(0), Decimal(100)), group="Test")
MOST = ConfigKey("t_most", NUMBER, default=Decimal("3.0"), limits=(Decimal(0), Decimal(100)), group="Test")
NAME = ConfigKey("t_name", TEXT, default="a name", limits=(1, 20), group="Test")
WORDS = ConfigKey("t_words", Items(r"[a-z]+", "must be words"), default=("a",), limits=(1, 3), group="Test")
KEYS = (ENABLED, COUNT, LEAST, MOST, NAME, WORDS)
ORDERED = Rule(
    (LEAST, MOST), lambda least, most: least <= most, "t_least %(t_least)s exceeds t_most %(t_most)s"
)


@pytest.fixture
def some_keys(monkeypatch):
    """Register this file's keys and rule for one test. Their rows are the test's business."""
    monkeypatch.setattr(registry, "_keys", dict(registry._keys))
    monkeypatch.setattr(registry, "_rules", list(registry._rules))
    registry.register(KEYS, [ORDERED])


@pytest.fixture
def some_rows(db, some_keys):
    SystemConfig.objects.set_values({key.name: key.default for key in KEYS})


@pytest.fixture
def elsewhere():
    """Run a call in another thread with its own connection: `elsewhere(call, *args)` returns its future."""

    def run(call, *args):
        try:
            return call(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda call, *args: pool.submit(run, call, *args)
