"""The sandbox's exchange and a trader there, for tests that ask for them."""

import pytest

from tests.orders.trader import Trader
from tests.orders.venue import open_venue


@pytest.fixture
def trader():
    with open_venue() as venue:
        yield Trader(venue)
