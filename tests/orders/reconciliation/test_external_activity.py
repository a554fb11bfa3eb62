"""What others do with the account is noticed in the sandbox's lists and balances, and never adopted."""

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


def found(venue):
    """Go through one round; return what it found as kind and text."""
    at = venue.later(300)
    told = external_activity.find(venue.client, venue.client.accounts(), at)
    SyncRound.objects.create(at=at, strangers=told)
    assert json.loads(json.dumps(told)) == told
    return [(each["kind"], each["text"]) for each in told]


def give(venue, currency, amount):
    before = venue.server.exchange.balances().get(currency, Purse())
    purse = Purse(before.balance + Decimal(amount), before.locked)
    venue.server.exchange._state.put_purse(currency, purse)


def test_what_the_trader_did_itself_is_explained(venue):
    assert found(venue) == []
    venue.bought("KRW-BTC", 300_000)
    assert found(venue) == []
    venue.sold("KRW-BTC", round(position("KRW-BTC").volume / 3, 8))
    assert found(venue) == []


def test_each_round_reads_the_account_and_the_first_of_a_day_is_its_base(venue):
    venue.bought("KRW-BTC", 300_000)

    assert found(venue) == []

    worth = position("KRW-BTC").volume * 150_000_000
    assert AccountReading.objects.get().equity == venue.purse("KRW") + worth
    assert TradingDay.objects.get().base_equity == AccountReading.objects.get().equity


def test_an_order_of_somebody_else_is_told_with_what_it_moved(venue):
    found(venue)
    venue.place("KRW-BTC", "bid", 500_000, identifier="somebody")
    venue.bought("KRW-BTC", 300_000)

    order, won, coins = sorted(found(venue), reverse=True)

    assert order[0] == "order"
    assert order[1].startswith("the KRW-BTC buy of 2026-01-05 12:05:05 UTC (cancel, 0.00")
    assert order[1].endswith(" filled) at the exchange was not made by this trader")
    assert won[1].startswith("the KRW balance moved by -5002")
    assert coins[1].endswith(" BTC in the account do not come from our orders")
    assert SyncRound.objects.latest().strangers[0]["identifier"] == "somebody"
    assert Order.objects.count() == 1


def test_what_was_told_once_is_not_told_again_while_it_stays(venue):
    found(venue)
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 500_000)
    assert len(found(venue)) == 3

    venue.later(600)
    assert found(venue) == []


def test_an_open_order_is_told_in_every_round(venue):
    venue.server.exchange.next_fills.append("never")
    venue.place("KRW-ETH", "bid", 20_000)

    for _ in range(3):
        venue.later(3600)
        assert [kind for kind, _ in found(venue)] == ["order"]


def test_what_ended_while_no_round_looked_is_found_later(venue):
    found(venue)
    venue.place("KRW-ETH", "bid", 20_000)
    venue.later(3 * 24 * 3600)

    assert [kind for kind, _ in found(venue)] == ["order", "balance"]


def test_an_order_that_our_books_gave_up_is_told_by_both_names(venue):
    order = bought("KRW-BTC", at=NOON, state=OrderState.LOST, identifier="ours-lost", funds=20_000)
    uuid = venue.place("KRW-BTC", "bid", 20_000, identifier="ours-lost")

    [(kind, text), *_] = found(venue)

    assert kind == "lost_order"
    assert text.endswith("exists at the exchange, but is LOST in our database")
    told = SyncRound.objects.get().strangers[0]
    assert (told["uuid"], told["identifier"], told["of"]) == (uuid, "ours-lost", "KRW-BTC")
    order.refresh_from_db()
    assert order.state == OrderState.LOST


def test_a_lost_order_without_a_uuid_does_not_hide_an_external_one_without_a_name(venue):
    bought("KRW-BTC", at=NOON, state=OrderState.LOST)
    venue.server.exchange.next_fills.append("never")
    uuid = venue.place("KRW-BTC", "bid", 20_000)
    with venue.server.exchange.at(int(venue.at.timestamp() * 1000)) as state:
        state.put_order(replace(state.orders[uuid], identifier=None))

    assert [kind for kind, _ in found(venue)] == ["order"]


def test_an_order_whose_outcome_is_open_is_ours_and_explains_its_market(venue):
    found(venue)
    bought("KRW-BTC", at=NOON, state=OrderState.UNKNOWN, identifier="ours-unknown", funds=20_000)
    venue.place("KRW-BTC", "bid", 20_000, identifier="ours-unknown")

    assert found(venue) == []
    assert AccountReading.objects.latest().unexplained == {}


def test_a_deposit_is_told_once_also_when_an_open_order_hid_it_for_a_round(venue):
    found(venue)
    give(venue, "KRW", 1_000_000)
    order = bought("KRW-BTC", at=NOON, state=OrderState.SUBMITTING)
    assert found(venue) == []

    order.state = OrderState.REJECTED
    order.save()

    assert found(venue) == [("balance", "the KRW balance moved by +1000000 without our orders")]
    assert found(venue) == []


def test_less_than_a_won_is_a_rounding(venue):
    found(venue)
    give(venue, "KRW", "0.9")

    assert found(venue) == []


def test_coins_of_ours_that_are_gone_are_told_until_they_are_back(venue):
    venue.bought("KRW-BTC", 300_000)
    found(venue)
    held = position("KRW-BTC").volume
    give(venue, "BTC", -held / 2)

    assert [kind for kind, _ in found(venue)] == ["balance", "missing"]
    [(kind, text)] = found(venue)
    assert kind == "missing"
    half = f"{(held / 2).normalize():f}"
    assert text == f"only {half} of our position of {held.normalize():f} KRW-BTC is in the account"
    give(venue, "BTC", held / 2)
    assert [kind for kind, _ in found(venue)] == ["balance"]


def test_without_a_price_the_balances_are_compared_all_the_same(venue):
    found(venue)
    venue.bought("KRW-XRP", 300_000)
    give(venue, "XRP", 10)

    assert found(venue) == [("balance", "10 XRP in the account do not come from our orders")]
    assert AccountReading.objects.latest().equity is None


def test_of_very_many_external_orders_the_rest_is_counted(venue, monkeypatch):
    monkeypatch.setattr(external_activity, "_MAX_LISTED", 2)
    venue.server.exchange.next_fills.extend(["never"] * 5)
    for _ in range(5):
        venue.place("KRW-BTC", "bid", 20_000)

    told = found(venue)

    assert [kind for kind, _ in told] == ["order", "order", "more"]
    assert told[-1][1] == "3 more orders were not made by this trader"


def test_a_move_is_told_by_the_next_round_though_a_decision_has_read_the_account_in_between(venue):
    assert found(venue) == []
    give(venue, "KRW", -1000)
    account.read(venue.client, {}, venue.later(60))

    assert found(venue) == [("balance", "the KRW balance moved by -1000 without our orders")]
