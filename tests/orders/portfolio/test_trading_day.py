"""The day's base is stored once; its result is that of trading."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from tests.orders.venue import open_venue
from tradingsite.orders.models import TradingDay
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import position
from tradingsite.orders.portfolio.trading_day import DayInputs, DayResult, measure
from tradingsite.sandbox.exchange.state import Purse

MIDNIGHT = datetime(2026, 1, 5, 15, tzinfo=UTC)
"""00:00 of January 6 in Korea."""
MINUTE = timedelta(minutes=1)


def inputs(equity, result=0):
    return DayInputs(Decimal(equity), Decimal(result))


@pytest.mark.django_db
def test_first_evaluation_of_a_korean_day_is_its_base():
    assert measure(inputs(1000), MIDNIGHT - MINUTE) == DayResult(Decimal(1000), Decimal(0))
    assert measure(inputs(990, -10), MIDNIGHT) == DayResult(Decimal(990), Decimal(0))
    assert measure(inputs(950, -50), MIDNIGHT + MINUTE) == DayResult(Decimal(990), Decimal(-40))

    assert [str(day) for day in TradingDay.objects.order_by("day")] == ["2026-01-05", "2026-01-06"]
    assert TradingDay.objects.latest().based_at == MIDNIGHT


@pytest.mark.django_db
def test_deposits_and_withdrawals_do_not_change_the_result():
    measure(inputs(1000, 5), MIDNIGHT)

    assert measure(inputs(1950, -45), MIDNIGHT + MINUTE).result == -50
    assert measure(inputs(400, 5), MIDNIGHT + 2 * MINUTE).result == 0


@pytest.mark.django_db
def test_base_without_a_result_is_compared_by_equity():
    TradingDay.objects.create(day=MIDNIGHT.date() + timedelta(days=1), base_equity=1000, based_at=MIDNIGHT)

    assert measure(inputs(930), MIDNIGHT + MINUTE) == DayResult(Decimal(1000), Decimal(-70))


@pytest.mark.django_db(transaction=True, available_apps=["tradingsite.orders"])
def test_concurrent_first_evaluations_share_one_base():
    start = Barrier(6)

    def evaluate(number):
        try:
            start.wait(60)
            return measure(inputs(1000 + number), MIDNIGHT).base
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        bases = set(pool.map(evaluate, range(6)))

    assert bases == {TradingDay.objects.get().base_equity}


@pytest.mark.django_db
def test_days_result_is_the_change_of_equity_without_deposits():
    with open_venue() as venue:
        venue.bought("KRW-BTC", 500_000)
        price = {"KRW-BTC": Decimal(140_000_000)}
        _, base = account.read(venue.client, price, venue.later(60))
        venue.sold("KRW-BTC", round(position("KRW-BTC").volume / 3, 8))
        venue.bought("KRW-BTC", 123_456)

        price["KRW-BTC"] += 1_234_567
        _, now = account.read(venue.client, price, venue.later(60))

        assert now.day_base == base.equity
        assert now.day_result == now.equity - now.day_base != 0

        won = venue.server.exchange.balances()["KRW"]
        venue.server.exchange._state.put_purse("KRW", Purse(won.balance + 5_000_000))
        _, richer = account.read(venue.client, price, venue.later(60))
        assert richer.equity == now.equity + 5_000_000
        assert richer.day_result == now.day_result
