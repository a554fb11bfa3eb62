"""The reconciliation at the sandbox's exchange, round by round (docs/orders.md O12 to O18)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from tradingsite.clients.deadline import Clock
from tradingsite.clients.errors import ClientError, NotFound, RateLimited, Unavailable
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.orders.execution import submission
from tradingsite.orders.management.commands import giveup
from tradingsite.orders.models import Order, OrderState, SyncRound
from tradingsite.orders.portfolio.positions import position
from tradingsite.orders.reconciliation import lost_orders

pytestmark = pytest.mark.django_db
QUIET = {"looked": 0, "ended": 0, "lost": 0, "busy": 0, "external": 0}


class Forgetful(UpbitExchange):
    """An exchange that shows an order in its lists and yet says, when asked for it, that there is none."""

    def order(self, **name):
        raise NotFound("order_not_found", name="order_not_found", message="", status=404)


def forgetful(trader):
    client = trader.venue.client
    return Forgetful(client.base_url, client.access_key, client.secret_key, retries=0)


def unknown(trader, fault="drop_before", **more):
    """Return an order whose answer was lost, and which no look has found yet."""
    trader.break_post(fault)
    trader.break_look("500")
    return trader.send(trader.buy(**more))


def state(order):
    order.refresh_from_db()
    return order.state


def looks(order):
    return order.events.filter(what="looked").count()


def test_a_round_with_nothing_to_look_at_is_a_successful_one(trader):
    assert trader.sync() == QUIET
    assert SyncRound.objects.get().at == trader.venue.at


def test_an_order_whose_answer_was_lost_is_found_by_our_name_for_it(trader):
    order = unknown(trader, "drop_after")
    assert order.state == OrderState.UNKNOWN

    assert trader.sync() == {**QUIET, "looked": 1, "ended": 1}

    assert state(order) == OrderState.DONE
    assert (trader.posts, trader.theirs) == (1, [(order.identifier, "cancel")])
    assert order.executed_volume == trader.venue.purse("BTC") == position("KRW-BTC").volume


def test_three_looks_over_ten_minutes_and_no_coin_moved_make_an_order_lost(trader):
    order = unknown(trader)

    rounds = [trader.sync()["lost"] for _ in range(3)]

    assert (rounds, state(order)) == ([0, 0, 1], OrderState.LOST)
    assert order.ended_at == trader.venue.at
    assert order.events.last().evidence == {"found": False, "coins": "0", "coins_expected": "0"}
    assert trader.sync() == QUIET


@pytest.mark.parametrize("minutes", [[4, 3, 4], [5, 9], [5, 4.5, 5.1], [5, 0.1, 9.9]], ids=str)
def test_too_few_looks_or_too_short_a_time_prove_nothing(trader, minutes):
    order = unknown(trader)

    for span in minutes:
        trader.sync(minutes=span)

    assert state(order) == OrderState.UNKNOWN


def test_an_order_not_found_twice_and_then_found_was_never_lost(trader):
    order = unknown(trader)
    trader.sync()
    trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)  # it was on its way

    trader.sync()

    assert state(order) == OrderState.DONE
    assert "LOST" not in order.events.values_list("state_after", flat=True)


def test_an_order_is_not_given_up_while_coins_moved_that_nobody_explains(trader):
    order = unknown(trader)
    trader.venue.place("KRW-BTC", "bid", 10_000)  # by hand, say

    for _ in range(4):
        trader.sync()

    assert state(order) == OrderState.UNKNOWN


def test_coins_that_our_own_later_orders_moved_are_explained(trader):
    order = unknown(trader)
    later = trader.send(trader.buy())
    assert later.state == OrderState.DONE

    for _ in range(3):
        trader.sync()

    assert state(order) == OrderState.LOST


def test_what_happens_in_other_markets_keeps_no_order_from_being_given_up(trader):
    order = unknown(trader)
    trader.send(trader.buy(market="KRW-ETH"))
    trader.venue.place("KRW-XRP", "bid", 10_000)

    for _ in range(3):
        trader.sync()

    assert state(order) == OrderState.LOST


def test_an_order_that_is_still_listed_is_not_given_up(trader):
    order = unknown(trader, "drop_after")
    trader.venue.server.exchange.next_fills.append("never")
    Order.objects.update(coin_before=trader.venue.purse("BTC"))  # so that no coin tells

    for _ in range(3):
        trader.sync(forgetful(trader))

    assert state(order) == OrderState.UNKNOWN


def test_an_order_that_was_given_up_and_exists_after_all_is_taken_back(trader):
    order = unknown(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync()

    kinds = [each["kind"] for each in SyncRound.objects.latest().strangers]
    assert kinds == ["lost_order"]
    assert state(order) == OrderState.DONE
    assert order.executed_volume == trader.venue.purse("BTC") == position("KRW-BTC").volume
    trader.sync()
    assert SyncRound.objects.latest().strangers == []


def test_an_open_order_is_looked_at_until_it_ends(trader):
    trader.break_look("500")
    order = trader.send(trader.buy())
    assert order.state == OrderState.OPEN

    assert trader.sync()["ended"] == 1
    assert state(order) == OrderState.DONE


def test_an_open_order_of_any_age_is_looked_at_and_told_nothing_new_leaves_no_trace(trader):
    trader.venue.server.exchange.next_fills.append("never")
    order = trader.send(trader.buy())

    assert trader.sync(minutes=60 * 24 * 400)["looked"] == 1
    assert (state(order), looks(order)) == (OrderState.OPEN, 0)


def test_an_order_that_the_exchange_had_and_shows_no_more_stays_open(trader):
    trader.venue.server.exchange.next_fills.append("never")
    order = trader.send(trader.buy())

    for _ in range(4):
        trader.sync(forgetful(trader))

    assert (state(order), looks(order)) == (OrderState.OPEN, 4)


@pytest.mark.parametrize("arrived", [True, False])
def test_an_intent_whose_sender_died_becomes_unknown_when_nobody_can_send_it_any_more(trader, arrived):
    order = trader.buy()
    if arrived:
        trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync(minutes=1)

    assert state(order) == (OrderState.DONE if arrived else OrderState.UNKNOWN)
    assert trader.send(order).state == order.state
    assert trader.posts == arrived


def test_a_round_waits_for_a_sender_that_is_just_about_to_send(trader):
    order, clock = trader.buy(), trader.clock
    trader.clock = Clock(sleep=lambda _: trader.send(order, clock=clock))

    trader.sync(minutes=0.1)

    assert state(order) == OrderState.DONE
    assert "UNKNOWN" not in order.events.values_list("state_after", flat=True)


def test_a_round_waits_no_longer_than_an_intent_may_still_be_sent(trader):
    trader.buy()
    began = trader.venue.at

    trader.sync(minutes=0)

    assert trader.venue.at - began == submission.SEND_DEADLINE


@pytest.mark.parametrize("before_s", [0, 0.5, 2, 19, 19.5, 20, 25, 299])
def test_three_rounds_resolve_an_intent_however_shortly_before_them_its_sender_was_killed(trader, before_s):
    order = trader.buy()
    assert submission._claim(order, trader.venue.at)
    first = trader.venue.later(before_s)

    given_up = [trader.sync_at(first + timedelta(minutes=minutes))["lost"] for minutes in (0, 5, 10)]

    assert (given_up, state(order)) == ([0, 0, 1], OrderState.LOST)
    assert trader.venue.at - order.events.get(what="moved", state_after=OrderState.UNKNOWN).at >= timedelta(
        minutes=10
    )


def test_a_dead_senders_order_that_arrived_is_booked_at_once(trader):
    order = trader.buy()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync(minutes=0.1)

    assert state(order) == OrderState.DONE


def test_a_dead_senders_order_that_never_arrived_is_lost_in_three_rounds(trader):
    order = trader.buy()

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]
    assert state(order) == OrderState.LOST


def test_one_order_that_is_not_told_about_keeps_no_other_from_being_resolved(trader):
    markets = ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    orders = [unknown(trader, "drop_after", market=market) for market in markets]
    trader.break_look("500")

    with pytest.raises(Unavailable):
        trader.sync()

    assert [state(order) for order in orders] == [OrderState.UNKNOWN, OrderState.DONE, OrderState.DONE]
    assert not SyncRound.objects.exists()
    trader.sync()
    assert state(orders[0]) == OrderState.DONE


def test_a_ban_ends_the_round_at_once(trader):
    for market in ("KRW-BTC", "KRW-ETH"):
        unknown(trader, "drop_after", market=market)
    asked = trader.venue.asked.count("GET /v1/order")
    trader.break_look("418")

    with pytest.raises(RateLimited):
        trader.sync()

    assert trader.venue.asked.count("GET /v1/order") == asked + 1


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/orders/open", "/v1/orders/closed"])
def test_a_round_that_did_not_see_everything_is_none(trader, path):
    trader.break_("503", "GET", path)

    with pytest.raises(ClientError):
        trader.sync()

    assert not SyncRound.objects.exists()


def test_a_look_counts_also_in_a_round_that_failed_later(trader):
    order = unknown(trader)
    for path in ("/v1/accounts", "/v1/orders/open"):
        trader.break_("503", "GET", path)
        with pytest.raises(ClientError):
            trader.sync()

    assert looks(order) == 2
    assert trader.sync()["lost"] == 1


def test_what_others_did_is_noticed_and_not_adopted(trader):
    trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000)

    assert trader.sync()["external"] == 2  # the order, and the coins that it brought
    assert not Order.objects.exists()
    assert position("KRW-BTC").volume == Decimal(0)


def test_an_order_that_somebody_ended_meanwhile_is_not_given_up(trader, monkeypatch):
    order = unknown(trader)
    trader.sync()
    trader.sync()
    told = trader.venue.client.open_orders

    def found_meanwhile(**asked):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE trading_order SET state = 'CANCELLED', uuid = 'u-1'")
        return told(**asked)

    monkeypatch.setattr(trader.venue.client, "open_orders", found_meanwhile)

    assert trader.sync()["lost"] == 0
    assert state(order) == OrderState.CANCELLED


def test_the_end_of_an_order_is_forgotten_when_it_comes_back_open(trader):
    order = unknown(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.server.exchange.next_fills.append("never")
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync()

    assert (state(order), order.ended_at, order.reason) == (OrderState.OPEN, None, "")


def test_a_look_before_it_was_unknown_does_not_count(trader):
    order = trader.buy()
    lost_orders.record_not_found(order, trader.venue.at)
    assert (state(order), looks(order)) == (OrderState.SUBMITTING, 1)

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]


def test_an_order_that_is_never_told_about_keeps_no_other_from_being_given_up(trader):
    unknown(trader, "drop_after", market="KRW-ETH")
    order = unknown(trader)

    for _ in range(3):
        trader.break_look("500")
        with pytest.raises(Unavailable):
            trader.sync()

    assert state(order) == OrderState.LOST
    assert not SyncRound.objects.exists()


def test_an_order_that_was_given_up_is_asked_for_when_no_list_shows_it_any_more(trader):
    order = unknown(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)
    trader.wait(1)
    SyncRound.objects.create(at=trader.venue.later(1800))  # none of the next lists goes back so far

    trader.sync()

    assert state(order) == OrderState.DONE


def test_an_order_without_a_balance_before_it_is_not_given_up(trader):
    order = unknown(trader)
    Order.objects.update(coin_before=None)

    for _ in range(4):
        trader.sync()

    assert state(order) == OrderState.UNKNOWN


class TestAnOperatorsWord:
    """What ends an order that no balance proves anything about."""

    @pytest.fixture(autouse=True)
    def at_the_venue(self, trader, monkeypatch):
        monkeypatch.setattr(giveup, "exchange_client", lambda: trader.venue.client)
        monkeypatch.setattr(timezone, "now", lambda: trader.venue.at)
        monkeypatch.setattr(giveup, "refuse_unless_ready", lambda: None)

    def give_up(self, name):
        call_command("giveup", name, by="kim", reason="sold some by hand")

    def stuck(self, trader, rounds=3):
        order = unknown(trader)
        trader.venue.place("KRW-BTC", "bid", 10_000)
        for _ in range(rounds):
            trader.sync()
        return order

    def test_it_frees_the_market_and_is_recorded(self, trader):
        order = self.stuck(trader)
        assert state(order) == OrderState.UNKNOWN

        self.give_up(order.identifier)

        assert (state(order), order.reason) == (OrderState.LOST, "given up by kim: sold some by hand")
        facts = {"found": False, "by": "kim", "reason": "sold some by hand"}
        assert order.events.last().evidence == facts

    def test_it_does_not_replace_looking(self, trader):
        order = self.stuck(trader, rounds=2)
        with pytest.raises(CommandError, match="not looked up for long enough"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.UNKNOWN

    def test_it_does_not_end_what_the_exchange_shows(self, trader):
        order = self.stuck(trader)
        trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)
        with pytest.raises(CommandError, match="exists at the exchange"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.UNKNOWN

    def test_it_ends_nothing_else(self, trader):
        for name in (trader.send(trader.buy()).identifier, "ts-nobody"):
            with pytest.raises(CommandError, match="is not an UNKNOWN order of ours"):
                self.give_up(name)

    def test_it_ends_nothing_that_was_found_meanwhile(self, trader, monkeypatch):
        order = self.stuck(trader)
        told = trader.venue.client.open_orders

        def found_meanwhile(**asked):
            Order.objects.update(state="CANCELLED", uuid="u-1")
            return told(**asked)

        monkeypatch.setattr(trader.venue.client, "open_orders", found_meanwhile)
        with pytest.raises(CommandError, match="another process is working on"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.CANCELLED
