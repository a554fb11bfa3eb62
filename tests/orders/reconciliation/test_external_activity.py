"""External activity is found in the sandbox's lists and balances, and never booked."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.marketdata.feed import record_price
from tests.orders.trades import bought
from tests.orders.venue import NOON, open_venue
from tradingsite.orders.models import AccountReading, Order, OrderState, SyncRound, TradingDay
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import position
from tradingsite.orders.reconciliation import external_activity
from tradingsite.sandbox.exchange.state import Purse

pytestmark = pytest.mark.django_db


@pytest.fixture
def venue():
    record_price("KRW-BTC", "150000000", NOON - timedelta(days=1))
    with open_venue() as venue:
        yield venue


def run_round(venue):
    """Look for external activity once; return its kinds and texts."""
    at = venue.later(300)
    activity = external_activity.find(venue.client, venue.client.accounts(), at)
    SyncRound.objects.create(at=at, strangers=activity)
    assert json.loads(json.dumps(activity)) == activity
    return [(each["kind"], each["text"]) for each in activity]


def change_balance(venue, currency, amount):
    before = venue.server.exchange.balances().get(currency, Purse())
    purse = Purse(before.balance + Decimal(amount), before.locked)
    venue.server.exchange._state.put_purse(currency, purse)


def test_our_own_orders_are_not_external(venue):
    assert run_round(venue) == []
    venue.bought("KRW-BTC", 300_000)
    assert run_round(venue) == []
    venue.sold("KRW-BTC", round(position("KRW-BTC").volume / 3, 8))
    assert run_round(venue) == []


def test_each_round_stores_a_reading_and_the_first_is_the_days_base(venue):
    venue.bought("KRW-BTC", 300_000)

    assert run_round(venue) == []

    worth = position("KRW-BTC").volume * 150_000_000
    assert AccountReading.objects.get().equity == venue.balance("KRW") + worth
    assert TradingDay.objects.get().base_equity == AccountReading.objects.get().equity


def test_external_order_is_reported_with_the_balances_it_moved(venue):
    run_round(venue)
    venue.place("KRW-BTC", "bid", 500_000, identifier="external")
    venue.bought("KRW-BTC", 300_000)

    order, won, coins = sorted(run_round(venue), reverse=True)

    assert order[0] == "order"
    assert order[1].startswith("the KRW-BTC buy of 2026-01-05 12:05:05 UTC (cancel, 0.00")
    assert order[1].endswith(" filled) at the exchange was not made by this trader")
    assert won[1].startswith("the KRW balance moved by -5002")
    assert coins[1].endswith(" BTC in the account do not come from our orders")
    assert SyncRound.objects.latest().strangers[0]["identifier"] == "external"
    assert Order.objects.count() == 1


def test_reported_activity_is_not_reported_again(venue):
    run_round(venue)
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 500_000)
    assert len(run_round(venue)) == 3

    venue.later(600)
    assert run_round(venue) == []


def test_open_external_order_is_reported_in_every_round(venue):
    venue.server.exchange.next_fills.append("never")
    venue.place("KRW-ETH", "bid", 20_000)

    for _ in range(3):
        venue.later(3600)
        assert [kind for kind, _ in run_round(venue)] == ["order"]


def test_external_order_ended_between_rounds_is_found_later(venue):
    run_round(venue)
    venue.place("KRW-ETH", "bid", 20_000)
    venue.later(3 * 24 * 3600)

    assert [kind for kind, _ in run_round(venue)] == ["order", "balance"]


def test_lost_order_found_at_the_exchange_is_reported_with_both_ids(venue):
    order = bought("KRW-BTC", at=NOON, state=OrderState.LOST, identifier="ours-lost", funds=20_000)
    uuid = venue.place("KRW-BTC", "bid", 20_000, identifier="ours-lost")

    [(kind, text), *_] = run_round(venue)

    assert kind == "lost_order"
    assert text.endswith("exists at the exchange, but is LOST in our database")
    activity = SyncRound.objects.get().strangers[0]
    assert (activity["uuid"], activity["identifier"], activity["of"]) == (uuid, "ours-lost", "KRW-BTC")
    order.refresh_from_db()
    assert order.state == OrderState.LOST


def test_a_lost_order_without_a_uuid_does_not_hide_an_external_one_without_a_name(venue):
    bought("KRW-BTC", at=NOON, state=OrderState.LOST)
    venue.server.exchange.next_fills.append("never")
    uuid = venue.place("KRW-BTC", "bid", 20_000)
    with venue.server.exchange.at(int(venue.at.timestamp() * 1000)) as state:
        state.put_order(replace(state.orders[uuid], identifier=None))

    assert [kind for kind, _ in run_round(venue)] == ["order"]


def test_unknown_order_explains_the_balances_of_its_market(venue):
    run_round(venue)
    bought("KRW-BTC", at=NOON, state=OrderState.UNKNOWN, identifier="ours-unknown", funds=20_000)
    venue.place("KRW-BTC", "bid", 20_000, identifier="ours-unknown")

    assert run_round(venue) == []
    assert AccountReading.objects.latest().unexplained == {}


def test_deposit_hidden_by_an_open_order_is_reported_once_afterwards(venue):
    run_round(venue)
    change_balance(venue, "KRW", 1_000_000)
    order = bought("KRW-BTC", at=NOON, state=OrderState.SUBMITTING)
    assert run_round(venue) == []

    order.state = OrderState.REJECTED
    order.save()

    assert run_round(venue) == [("balance", "the KRW balance moved by +1000000 without our orders")]
    assert run_round(venue) == []


def test_difference_below_a_won_is_ignored(venue):
    run_round(venue)
    change_balance(venue, "KRW", "0.9")

    assert run_round(venue) == []


def test_missing_coins_are_reported_until_they_return(venue):
    venue.bought("KRW-BTC", 300_000)
    run_round(venue)
    volume = position("KRW-BTC").volume
    change_balance(venue, "BTC", -volume / 2)

    assert [kind for kind, _ in run_round(venue)] == ["balance", "missing"]
    [(kind, text)] = run_round(venue)
    assert kind == "missing"
    half = f"{(volume / 2).normalize():f}"
    assert text == f"only {half} of our position of {volume.normalize():f} KRW-BTC is in the account"
    change_balance(venue, "BTC", volume / 2)
    assert [kind for kind, _ in run_round(venue)] == ["balance"]


def test_balances_are_compared_without_a_price(venue):
    run_round(venue)
    venue.bought("KRW-XRP", 300_000)
    change_balance(venue, "XRP", 10)

    assert run_round(venue) == [("balance", "10 XRP in the account do not come from our orders")]
    assert AccountReading.objects.latest().equity is None


def test_external_orders_above_the_limit_are_counted(venue, monkeypatch):
    monkeypatch.setattr(external_activity, "_MAX_LISTED", 2)
    venue.server.exchange.next_fills.extend(["never"] * 5)
    for _ in range(5):
        venue.place("KRW-BTC", "bid", 20_000)

    activity = run_round(venue)

    assert [kind for kind, _ in activity] == ["order", "order", "more"]
    assert activity[-1][1] == "3 more orders were not made by this trader"


def test_balance_change_is_reported_despite_an_account_reading_in_between(venue):
    assert run_round(venue) == []
    change_balance(venue, "KRW", -1000)
    account.read(venue.client, {}, venue.later(60))

    assert run_round(venue) == [("balance", "the KRW balance moved by -1000 without our orders")]
