"""The account's value: balances of the sandbox's exchange, positions of our books."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.marketdata.feed import record_price
from tests.orders.trades import bought
from tests.orders.venue import NOON, START_KRW, open_venue
from tradingsite.orders.models import AccountReading, OrderState
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.account import PriceMissing, last_prices
from tradingsite.orders.portfolio.positions import position
from tradingsite.sandbox.exchange.state import Purse

pytestmark = pytest.mark.django_db
PRICE = Decimal(150_000_000)


@pytest.fixture
def venue():
    with open_venue() as venue:
        yield venue


def read(venue, **prices):
    given = {f"KRW-{coin}": Decimal(price) for coin, price in prices.items()}
    return account.read(venue.client, given, venue.at)


def test_equity_of_a_new_account_is_its_won(venue):
    balances, now = read(venue)

    assert now.krw_free == now.equity == now.day_base == START_KRW
    assert now.exposure == now.day_result == 0
    assert [each.currency for each in balances] == ["KRW"]


def test_equity_is_exactly_won_plus_our_coins_at_their_price(venue):
    venue.bought("KRW-BTC", 300_000)

    _, now = read(venue, BTC=PRICE)

    volume = position("KRW-BTC").volume
    assert volume == venue.balance("BTC")
    assert now.krw_free == venue.balance("KRW") == START_KRW - position("KRW-BTC").cost
    assert now.exposure == volume * PRICE
    assert now.equity == venue.balance("KRW") + volume * PRICE


def test_coins_that_are_not_ours_do_not_count_towards_equity(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.place("KRW-XRP", "bid", 50_000)
    venue.later(1)

    _, now = read(venue, BTC=PRICE, XRP=3000)

    assert venue.balance("BTC") > position("KRW-BTC").volume
    assert now.equity == venue.balance("KRW") + position("KRW-BTC").volume * PRICE


def test_missing_coins_do_not_count_towards_equity(venue):
    venue.bought("KRW-BTC", 300_000)
    left = position("KRW-BTC").volume / 4
    venue.place("KRW-BTC", "ask", position("KRW-BTC").volume - left)
    venue.later(1)

    _, now = read(venue, BTC=PRICE)

    assert now.equity == venue.balance("KRW") + left * PRICE


def test_unresolved_buy_counts_as_spent_and_as_exposure(venue):
    bought("KRW-BTC", at=NOON, state=OrderState.UNKNOWN, funds=200_000)
    bought("KRW-ETH", at=NOON, state=OrderState.SUBMITTING, funds=100_000)

    _, now = read(venue)

    assert now.exposure == 300_000
    assert now.krw_free == START_KRW - 300_000 * Decimal("1.0025")
    assert now.equity == START_KRW


def test_locked_won_is_not_subtracted_twice(venue):
    venue.server.exchange.next_fills.append("never")
    uuid = venue.place("KRW-BTC", "bid", 200_000)
    bought("KRW-BTC", at=NOON, state=OrderState.OPEN, uuid=uuid, funds=200_000)
    bought("KRW-ETH", at=NOON, state=OrderState.UNKNOWN, funds=100_000)

    _, now = read(venue)

    assert now.krw_free == START_KRW - 200_100 - 100_000 * Decimal("1.0025")
    assert now.exposure == 300_000
    assert now.equity == START_KRW


def test_locked_won_covers_open_orders_before_unknown_ones(venue):
    venue.server.exchange.next_fills.append("never")
    bought("KRW-ETH", at=NOON, state=OrderState.UNKNOWN, funds=100_000)
    bought(
        "KRW-BTC", at=NOON, state=OrderState.OPEN, uuid=venue.place("KRW-BTC", "bid", 120_000), funds=120_000
    )

    assert read(venue)[1].krw_free == START_KRW - 120_060 - 100_000 * Decimal("1.0025")


def test_filled_part_of_a_buy_counts_as_position_only(venue):
    bought("KRW-BTC", (PRICE, "0.001"), at=NOON, state=OrderState.PARTIAL, funds=200_000)
    venue.server.exchange._state.put_purse("BTC", Purse(Decimal("0.001")))

    _, now = read(venue, BTC=PRICE)

    assert now.exposure == 150_000 + 50_000


def test_missing_price_of_a_position_raises_price_missing(venue):
    venue.bought("KRW-BTC", 300_000)

    with pytest.raises(PriceMissing, match="no price of KRW-BTC is stored") as caught:
        read(venue, ETH=5_000_000)

    assert {each.currency for each in caught.value.balances} == {"KRW", "BTC"}
    assert caught.value.markets == ("KRW-BTC",)
    assert AccountReading.objects.get().equity is None


def test_sold_out_market_needs_no_price_and_counts_in_the_result(venue):
    venue.bought("KRW-BTC", 300_000)
    read(venue, BTC=PRICE)
    venue.sold("KRW-BTC", position("KRW-BTC").volume)

    _, now = read(venue)

    assert now.equity == venue.balance("KRW")
    assert now.day_result == now.equity - now.day_base


def test_reading_is_stored_and_replaced_at_the_same_moment(venue):
    venue.bought("KRW-BTC", 300_000)
    read(venue, BTC=PRICE)
    _, now = read(venue, BTC=PRICE + 1)

    stored = AccountReading.objects.get()
    assert stored.read_at == venue.at
    assert stored.equity == now.equity
    assert stored.krw_free + stored.krw_locked == venue.balance("KRW")
    assert stored.coins == {"BTC": [f"{venue.balance('BTC'):f}", "0"]}


def test_last_prices_cover_held_markets_at_any_age():
    bought("KRW-BTC", (100, 1), at=NOON)
    bought("KRW-ETH", (100, 1), at=NOON)
    for market in ("KRW-BTC", "KRW-XRP"):
        record_price(market, "123", NOON - timedelta(days=30))

    assert last_prices(NOON) == {"KRW-BTC": Decimal(123)}
