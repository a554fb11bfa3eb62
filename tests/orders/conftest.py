"""The trader at the sandbox's exchange."""

import pytest

from tests.orders.trader import Trader
from tests.orders.venue import open_venue


@pytest.fixture
def trader():
    with open_venue() as venue:
        yield Trader(venue)
