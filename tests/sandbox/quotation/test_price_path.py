"""Trades, bars and books of every size follow from one price path."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.sandbox.conftest import NOON_MS
from tradingsite.sandbox.quotation.bars import Bar, Bars
from tradingsite.sandbox.quotation.book import Books
from tradingsite.sandbox.quotation.markets import markets
from tradingsite.sandbox.quotation.price_grid import E8
from tradingsite.sandbox.quotation.prices import DAY_MS, FIRST_DAY, Prices
from tradingsite.sandbox.quotation.trades import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
BTC = markets()["KRW-BTC"]


def sample_markets(count, number=1):
    """Random markets, each with a random time between 2018 and 2027."""
    chance = Random(number)  # noqa: S311 - a sample, not a secret
    everything = list(markets().values())
    return [
        (chance.choice(everything), chance.randrange(1_514_764_800_000, 1_798_761_600_000))
        for _ in range(count)
    ]


def trades_between(prices, market, start_ms, end_ms):
    return list(prices.trades_before(market, end_ms, start_ms))[::-1]


@pytest.fixture(scope="module")
def prices():
    return Prices(1)


@pytest.fixture(scope="module")
def bars(prices):
    return Bars(prices)


def test_bar_of_any_length_is_the_sum_of_its_trades(prices, bars):
    for market, start_ms in sample_markets(60):
        end_ms = start_ms + Random(start_ms).randrange(2 * HOUR_MS)  # noqa: S311 - a sample, not a secret
        trades = trades_between(prices, market, start_ms, end_ms)
        bar = bars.bar(market, start_ms, end_ms)

        if not trades:
            assert bar is None
            continue
        paid = [trade.price_e8 for trade in trades]
        assert bar is not None
        assert (bar.open, bar.high, bar.low, bar.close) == (paid[0], max(paid), min(paid), paid[-1])
        assert bar.volume == sum(trade.volume_e8 for trade in trades)
        assert bar.last_ms == trades[-1].at_ms
        assert bar.low <= bar.value * E8 / bar.volume * (1 + 1e-12)
        assert bar.value * E8 / bar.volume <= bar.high * (1 + 1e-12)


def combined(parts: list[Bar]) -> tuple[int, ...]:
    return (
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum(part.volume for part in parts),
        parts[-1].last_ms,
    )


@pytest.mark.parametrize(
    ("size", "part"), [(DAY_MS, 4 * HOUR_MS), (HOUR_MS, 3 * MINUTE_MS), (30 * MINUTE_MS, 5 * MINUTE_MS)]
)
def test_long_bar_is_the_sum_of_short_bars(bars, size, part):
    for market, at_ms in sample_markets(20, number=size):
        start_ms = at_ms // size * size
        whole = bars.bar(market, start_ms, start_ms + size)
        parts = [bars.bar(market, start_ms + i, start_ms + i + part) for i in range(0, size, part)]

        assert combined([whole]) == combined([bar for bar in parts if bar])


def test_day_opens_at_the_close_of_the_day_before(prices, bars):
    for market, at_ms in sample_markets(50):
        start_ms = at_ms // DAY_MS * DAY_MS
        before = bars.bar(market, start_ms - DAY_MS, start_ms)

        assert bars.bar(market, start_ms, start_ms + DAY_MS).open == before.close
        assert bars.close_of_day(market, at_ms // DAY_MS - 1) == before.close


def test_trades_are_on_the_grid_in_order_with_unique_ids(prices):
    for market, at_ms in sample_markets(60):
        trades = trades_between(prices, market, at_ms - 10 * MINUTE_MS, at_ms)

        assert all(trade.price_e8 % market.grid.tick(trade.price_e8) == 0 for trade in trades)
        assert all(trade.volume_e8 > 0 for trade in trades)
        assert all(a.at_ms < b.at_ms and a.sequential_id < b.sequential_id for a, b in pairwise(trades))


def test_best_offer_of_the_book_is_the_last_trade(prices):
    books = Books(prices)
    for market, at_ms in sample_markets(60):
        trade = prices.last_trade(market, at_ms)
        book = books.book(market, at_ms)
        asks, bids = [ask.price_e8 for ask in book.asks], [bid.price_e8 for bid in book.bids]

        assert (asks[0] if trade.side == "BID" else bids[0]) == trade.price_e8
        assert bids[0] < asks[0]
        assert asks == sorted(set(asks))
        assert bids == sorted(set(bids), reverse=True)
        assert all(price % market.grid.tick(price) == 0 for price in asks + bids)
        assert trade.at_ms <= book.timestamp_ms <= at_ms


def test_grouped_book_has_the_same_sizes(prices):
    books = Books(prices)
    step = 10 * BTC.grid.tick(int(BTC.base_price_e8))
    fine, coarse = books.book(BTC, NOON_MS, units=300), books.book(BTC, NOON_MS, step)

    for i, level in enumerate(coarse.asks[:20]):
        inside = [a.size_e8 for a in fine.asks if level.price_e8 - step < a.price_e8 <= level.price_e8]
        assert level.size_e8 == sum(inside), i
    for i, level in enumerate(coarse.bids[:20]):
        inside = [b.size_e8 for b in fine.bids if level.price_e8 <= b.price_e8 < level.price_e8 + step]
        assert level.size_e8 == sum(inside), i


def test_book_of_a_cheap_coin_has_no_price_of_zero(prices):
    cheap = markets()["KRW-DUSA"]
    bids = Books(prices).book(cheap, NOON_MS, units=1000).bids
    steps = Books(prices).book(cheap, NOON_MS, 100 * cheap.grid.tick(1), units=1000).bids

    assert len(bids) < 1000
    assert bids[-1].price_e8 == 1
    assert 0 < len(steps) < 10


def sample_of(seed):
    bars, books = Bars(prices := Prices(seed)), Books(Prices(seed))
    return [
        [prices.last_trade(market, at_ms), bars.bar(market, at_ms - DAY_MS, at_ms), books.book(market, at_ms)]
        for market, at_ms in sample_markets(10)
    ]


def test_another_process_computes_the_same_prices():
    script = "import json, tests.sandbox.quotation.test_price_path as t; print(json.dumps(t.sample_of(1)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )

    assert json.loads(done.stdout) == json.loads(json.dumps(sample_of(1)))


def test_prices_do_not_depend_on_the_order_of_reads():
    in_order, reversed_order = Prices(1), Prices(1)
    places = sample_markets(20)

    once = [in_order.last_trade(market, at_ms) for market, at_ms in places]
    again = [reversed_order.last_trade(market, at_ms) for market, at_ms in reversed(places)]

    assert once == again[::-1]


def test_another_seed_gives_other_prices():
    assert sample_of(2) != sample_of(1)


def test_bitcoin_trades_nearly_each_second(prices):
    trades = trades_between(prices, BTC, NOON_MS - HOUR_MS, NOON_MS)

    assert 3000 < len(trades) < 4200
    assert max(b.at_ms - a.at_ms for a, b in pairwise(trades)) < 3000


def test_quiet_market_has_minutes_but_no_hour_without_a_trade(bars):
    quiet = markets()["KRW-ORBIT"]
    minutes = [bars.bar(quiet, NOON_MS - i * MINUTE_MS, NOON_MS - (i - 1) * MINUTE_MS) for i in range(1440)]
    hours = [bars.bar(quiet, NOON_MS - i * HOUR_MS, NOON_MS - (i - 1) * HOUR_MS) for i in range(24 * 10)]

    assert 0.05 < sum(bar is not None for bar in minutes) / len(minutes) < 0.5
    assert None not in hours


def moves(prices, market, first_hour, hours):
    """The moves of any two neighbouring five minutes: no five minutes anywhere can move more."""
    fives = [five for hour in range(first_hour, first_hour + hours) for five in prices.fives(market, hour)]
    price = prices.price
    for a, b in pairwise(fives):
        low = price(market, min(a.low, b.low))
        yield (price(market, max(a.high, b.high)) - low) / low


@pytest.mark.parametrize("seed", [1, 2])
def test_bitcoin_is_calm_for_many_weeks(seed):
    everything = sorted(moves(Prices(seed), BTC, NOON_MS // HOUR_MS, 24 * 7 * 4))

    assert everything[len(everything) // 2] < 0.002
    assert everything[int(0.99 * len(everything))] < 0.005
    assert everything[-1] < 0.015
    assert everything[len(everything) // 2] > 0.0001  # calm, not dead


def test_no_market_crosses_three_percent_on_an_ordinary_day(prices):
    for market in markets().values():
        if market.quote == "KRW":
            assert max(moves(prices, market, NOON_MS // HOUR_MS, 3)) < 0.03, market.code


def test_prices_stay_realistic_over_the_years(prices):
    for market in list(markets().values())[::40]:
        days = [prices.day(market, day) for day in range(FIRST_DAY, FIRST_DAY + 10 * 365)]
        lowest, highest = min(day.low for day in days), max(day.high for day in days)

        assert prices.price(market, lowest) > 0.3 * market.base_price_e8, market.code
        assert prices.price(market, highest) < 3.5 * market.base_price_e8, market.code


def test_year_high_and_low_are_those_of_its_days(prices, bars):
    for market, at_ms in sample_markets(4):
        year = bars.year(market, at_ms)
        today = at_ms // DAY_MS
        days = {
            day: bars.bar(market, day * DAY_MS, min((day + 1) * DAY_MS, at_ms + 1))
            for day in range(today - 364, today + 1)
        }
        found = {day: bar for day, bar in days.items() if bar}

        assert year.high == max(bar.high for bar in found.values()) == found[year.high_day].high
        assert year.low == min(bar.low for bar in found.values()) == found[year.low_day].low
