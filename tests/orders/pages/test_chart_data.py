"""The data of a chart."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.marketdata.feed import NOON, record_price
from tests.orders.trades import bought
from tradingsite.marketdata.models import Ticker
from tradingsite.orders.pages.chart_data import SLOTS, charts

pytestmark = pytest.mark.django_db

BTC, ETH = "KRW-BTC", "KRW-ETH"
TEN_S, HOUR = timedelta(seconds=10), timedelta(hours=1)


def test_day_of_polls_is_reduced_to_few_points_with_every_peak():
    at = [NOON - TEN_S * number for number in range(8640, 0, -1)]
    prices = [Decimal(1000 + number % 7) for number in range(8640)]
    prices[5000], prices[6000] = Decimal(2000), Decimal(10)
    Ticker.objects.bulk_create(
        Ticker(market=BTC, price=price, traded_at=time, first_seen_at=time, last_seen_at=time)
        for time, price in zip(at, prices, strict=True)
    )

    ((_, drawn),) = charts([BTC], NOON)

    points = drawn.path.replace("M", "L").count("L")
    assert SLOTS < points <= 4 * SLOTS + 4  # each price has a beginning and an end
    assert drawn.path.count("M") == 1
    assert drawn.last == prices[-1]
    assert [tick.text for tick in drawn.prices][-1] == "2,000"


def test_gap_in_the_polls_breaks_the_line():
    record_price(BTC, "100", NOON - 5 * HOUR, NOON - 4 * HOUR)
    record_price(BTC, "101", NOON - 4 * HOUR + TEN_S, NOON - 3 * HOUR)
    record_price(BTC, "102", NOON - HOUR, NOON)

    ((_, drawn),) = charts([BTC], NOON)

    assert drawn.path.count("M") == 2


def test_price_constant_since_yesterday_starts_at_the_left_edge():
    record_price(BTC, "100", NOON - 40 * HOUR, NOON)

    ((_, drawn),) = charts([BTC], NOON)

    assert drawn.start == NOON - 24 * HOUR
    assert drawn.end == NOON


def test_signals_and_fills_are_on_their_markets_chart_with_links(django_assert_num_queries):
    for market in (BTC, ETH):
        record_price(market, "100", NOON - HOUR, NOON)
    order = bought(BTC, ("99", "0.5"), at=NOON - HOUR / 2)
    bought(ETH, ("99", "0.5"), at=NOON - 30 * HOUR)

    with django_assert_num_queries(3):
        found = dict(charts([BTC, ETH, "KRW-XRP"], NOON))

    assert [placed.mark.kind for placed in found[BTC].marks] == ["BUY", "bid"]
    assert found[BTC].marks[1].mark.volume == Decimal("0.5")
    assert found[BTC].marks[1].mark.link == f"/admin/orders/order/{order.pk}/change/"
    assert found[BTC].marks[0].mark.link == f"/admin/strategy/tradingsignal/{order.signal.pk}/change/"
    assert found[ETH].marks == ()
    assert found["KRW-XRP"] is None
