"""The price grid and the list of markets."""

from decimal import Decimal

import pytest

from tradingsite.sandbox.quotation.markets import markets
from tradingsite.sandbox.quotation.price_grid import E8, GRIDS, e8, from_e8

KRW_TICKS = {
    "2000000": "1000",
    "1000000": "1000",
    "500000": "500",
    "100000": "100",
    "50000": "50",
    "10000": "10",
    "5000": "5",
    "1000": "1",
    "100": "1",
    "10": "0.1",
    "1": "0.01",
    "0.1": "0.001",
    "0.01": "0.0001",
    "0.001": "0.00001",
    "0.0001": "0.000001",
    "0.00001": "0.0000001",
    "0.000001": "0.00000001",
}


@pytest.mark.parametrize(("price", "tick"), KRW_TICKS.items())
def test_tick_size_of_a_price_in_won(price, tick):
    grid = GRIDS["KRW"]

    assert grid.tick(e8(price)) == e8(tick)


def test_price_below_a_threshold_uses_the_finer_tick():
    grid = GRIDS["KRW"]

    assert from_e8(grid.below(e8("1000000"))) == Decimal(999500)
    assert from_e8(grid.below(e8("100"))) == Decimal("99.9")
    assert grid.below(1) == 0


def test_other_quote_currencies_have_their_own_ticks():
    assert GRIDS["BTC"].tick(e8("0.03")) == 1
    assert GRIDS["USDT"].tick(e8("101020")) == e8("0.01")


def test_rounding_to_the_grid_keeps_the_order_of_prices():
    grid = GRIDS["KRW"]
    rising = [10 ** (i / 500) for i in range(500 * 17)]

    rounded = [grid.nearest(price) for price in rising]

    assert rounded == sorted(rounded)
    assert all(price % grid.tick(price) == 0 for price in rounded)


def test_at_least_200_won_markets_cover_every_tick_size():
    in_won = [market for market in markets().values() if market.quote == "KRW"]
    starts = sorted(e8(start) for start in KRW_TICKS)
    rows = {max(s for s in [0, *starts] if s <= market.price * E8) for market in in_won}

    assert len(in_won) >= 200
    assert {"BTC", "ETH", "XRP", "SOL", "DOGE", "ADA"} <= {market.base for market in in_won}
    assert rows == set(starts)
