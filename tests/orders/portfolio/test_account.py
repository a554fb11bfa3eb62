"""What the account is worth: read from the sandbox's exchange, judged by our own books."""

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


def test_a_new_account_is_worth_its_won(venue):
    balances, now = read(venue)

    assert now.krw_free == now.equity == now.day_base == START_KRW
    assert now.exposure == now.day_result == 0
    assert [each.currency for each in balances] == ["KRW"]


def test_equity_is_won_and_our_coins_at_their_price_to_the_last_digit(venue):
    venue.bought("KRW-BTC", 300_000)

    _, now = read(venue, BTC=PRICE)

    volume = position("KRW-BTC").volume
    assert volume == venue.purse("BTC")
    assert now.krw_free == venue.purse("KRW") == START_KRW - position("KRW-BTC").cost
    assert now.exposure == volume * PRICE
    assert now.equity == venue.purse("KRW") + volume * PRICE


def test_coins_that_are_not_ours_do_not_count(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.place("KRW-XRP", "bid", 50_000)
    venue.later(1)

    _, now = read(venue, BTC=PRICE, XRP=3000)

    assert venue.purse("BTC") > position("KRW-BTC").volume
    assert now.equity == venue.purse("KRW") + position("KRW-BTC").volume * PRICE


def test_coins_that_are_no_longer_there_are_worth_nothing(venue):
    venue.bought("KRW-BTC", 300_000)
    left = position("KRW-BTC").volume / 4
    venue.place("KRW-BTC", "ask", position("KRW-BTC").volume - left)
    venue.later(1)

    _, now = read(venue, BTC=PRICE)

    assert now.equity == venue.purse("KRW") + left * PRICE


def test_a_buy_that_may_be_on_its_way_counts_as_spent_and_as_exposure(venue):
    bought("KRW-BTC", at=NOON, state=OrderState.UNKNOWN, funds=200_000)
    bought("KRW-ETH", at=NOON, state=OrderState.SUBMITTING, funds=100_000)

    _, now = read(venue)

    assert now.exposure == 300_000
    assert now.krw_free == START_KRW - 300_000 * Decimal("1.0025")
    assert now.equity == START_KRW


def test_what_the_exchange_shows_as_locked_is_not_taken_off_twice(venue):
    venue.server.exchange.next_fills.append("never")
    uuid = venue.place("KRW-BTC", "bid", 200_000)
    bought("KRW-BTC", at=NOON, state=OrderState.OPEN, uuid=uuid, funds=200_000)
    bought("KRW-ETH", at=NOON, state=OrderState.UNKNOWN, funds=100_000)

    _, now = read(venue)

    assert now.krw_free == START_KRW - 200_100 - 100_000 * Decimal("1.0025")
    assert now.exposure == 300_000
    assert now.equity == START_KRW


def test_the_open_order_is_covered_first_whoever_came_first(venue):
    venue.server.exchange.next_fills.append("never")
    bought("KRW-ETH", at=NOON, state=OrderState.UNKNOWN, funds=100_000)
    bought(
        "KRW-BTC", at=NOON, state=OrderState.OPEN, uuid=venue.place("KRW-BTC", "bid", 120_000), funds=120_000
    )

    assert read(venue)[1].krw_free == START_KRW - 120_060 - 100_000 * Decimal("1.0025")


def test_what_a_partly_filled_buy_has_spent_is_a_position_and_not_under_way(venue):
    bought("KRW-BTC", (PRICE, "0.001"), at=NOON, state=OrderState.PARTIAL, funds=200_000)
    venue.server.exchange._state.put_purse("BTC", Purse(Decimal("0.001")))

    _, now = read(venue, BTC=PRICE)

    assert now.exposure == 150_000 + 50_000


def test_without_a_price_of_what_is_held_nobody_guesses(venue):
    venue.bought("KRW-BTC", 300_000)

    with pytest.raises(PriceMissing, match="no price of KRW-BTC is stored") as caught:
        read(venue, ETH=5_000_000)

    assert {each.currency for each in caught.value.balances} == {"KRW", "BTC"}
    assert caught.value.markets == ("KRW-BTC",)
    assert AccountReading.objects.get().equity is None


def test_a_sold_out_market_needs_no_price_and_its_result_counts(venue):
    venue.bought("KRW-BTC", 300_000)
    read(venue, BTC=PRICE)
    venue.sold("KRW-BTC", position("KRW-BTC").volume)

    _, now = read(venue)

    assert now.equity == venue.purse("KRW")
    assert now.day_result == now.equity - now.day_base


def test_each_reading_is_stored_and_read_again_at_the_same_moment_replaces_it(venue):
    venue.bought("KRW-BTC", 300_000)
    read(venue, BTC=PRICE)
    _, now = read(venue, BTC=PRICE + 1)

    stored = AccountReading.objects.get()
    assert stored.read_at == venue.at
    assert stored.equity == now.equity
    assert stored.krw_free + stored.krw_locked == venue.purse("KRW")
    assert stored.coins == {"BTC": [f"{venue.purse('BTC'):f}", "0"]}


def test_last_prices_are_of_what_is_held_however_old():
    bought("KRW-BTC", (100, 1), at=NOON)
    bought("KRW-ETH", (100, 1), at=NOON)
    for market in ("KRW-BTC", "KRW-XRP"):
        record_price(market, "123", NOON - timedelta(days=30))

    assert last_prices(NOON) == {"KRW-BTC": Decimal(123)}
