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
    """Lists an order, and yet answers a request for it with "not found"."""

    def order(self, **name):
        raise NotFound("order_not_found", name="order_not_found", message="", status=404)


def forgetful(trader):
    client = trader.venue.client
    return Forgetful(client.base_url, client.access_key, client.secret_key, retries=0, clock=client.clock)


def unknown_order(trader, fault="drop_before", **more):
    """Return an order whose answer was lost and which no lookup has found."""
    trader.fail_post(fault)
    trader.fail_lookup("500")
    return trader.send(trader.buy(**more))


def state(order):
    order.refresh_from_db()
    return order.state


def lookups(order):
    return order.events.filter(what="looked").count()


def test_round_without_orders_succeeds(trader):
    assert trader.sync() == QUIET
    assert SyncRound.objects.get().at == trader.venue.at


def test_order_with_a_lost_answer_is_found_by_its_identifier(trader):
    order = unknown_order(trader, "drop_after")
    assert order.state == OrderState.UNKNOWN

    assert trader.sync() == {**QUIET, "looked": 1, "ended": 1}

    assert state(order) == OrderState.DONE
    assert (trader.posts, trader.exchange_orders) == (1, [(order.identifier, "cancel")])
    assert order.executed_volume == trader.venue.balance("BTC") == position("KRW-BTC").volume


def test_order_not_found_three_times_over_ten_minutes_without_coin_moves_is_lost(trader):
    order = unknown_order(trader)

    rounds = [trader.sync()["lost"] for _ in range(3)]

    assert (rounds, state(order)) == ([0, 0, 1], OrderState.LOST)
    assert order.ended_at == trader.venue.at
    assert order.events.last().evidence == {"found": False, "coins": "0", "coins_expected": "0"}
    assert trader.sync() == QUIET


@pytest.mark.parametrize("minutes", [[4, 3, 4], [5, 9], [5, 4.5, 5.1], [5, 0.1, 9.9]], ids=str)
def test_too_few_lookups_or_too_short_a_time_keep_an_order_unknown(trader, minutes):
    order = unknown_order(trader)

    for span in minutes:
        trader.sync(minutes=span)

    assert state(order) == OrderState.UNKNOWN


def test_order_found_after_two_failed_lookups_is_never_lost(trader):
    order = unknown_order(trader)
    trader.sync()
    trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)  # it was on its way

    trader.sync()

    assert state(order) == OrderState.DONE
    assert "LOST" not in order.events.values_list("state_after", flat=True)


def test_order_stays_unknown_while_a_coin_move_is_unexplained(trader):
    order = unknown_order(trader)
    trader.venue.place("KRW-BTC", "bid", 10_000)  # by hand, say

    for _ in range(4):
        trader.sync()

    assert state(order) == OrderState.UNKNOWN


def test_coins_moved_by_our_later_orders_are_explained(trader):
    order = unknown_order(trader)
    later = trader.send(trader.buy())
    assert later.state == OrderState.DONE

    for _ in range(3):
        trader.sync()

    assert state(order) == OrderState.LOST


def test_activity_in_other_markets_does_not_keep_an_order_unknown(trader):
    order = unknown_order(trader)
    trader.send(trader.buy(market="KRW-ETH"))
    trader.venue.place("KRW-XRP", "bid", 10_000)

    for _ in range(3):
        trader.sync()

    assert state(order) == OrderState.LOST


def test_order_in_the_exchanges_list_is_not_lost(trader):
    order = unknown_order(trader, "drop_after")
    trader.venue.server.exchange.next_fills.append("never")
    Order.objects.update(coin_before=trader.venue.balance("BTC"))  # so that no balance shows it

    for _ in range(3):
        trader.sync(forgetful(trader))

    assert state(order) == OrderState.UNKNOWN


def test_lost_order_that_exists_is_recovered(trader):
    order = unknown_order(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync()

    kinds = [each["kind"] for each in SyncRound.objects.latest().strangers]
    assert kinds == ["lost_order"]
    assert state(order) == OrderState.DONE
    assert order.executed_volume == trader.venue.balance("BTC") == position("KRW-BTC").volume
    trader.sync()
    assert SyncRound.objects.latest().strangers == []


def test_open_order_is_looked_up_until_it_ends(trader):
    trader.fail_lookup("500")
    order = trader.send(trader.buy())
    assert order.state == OrderState.OPEN

    assert trader.sync()["ended"] == 1
    assert state(order) == OrderState.DONE


def test_unchanged_open_order_of_any_age_leaves_no_event(trader):
    trader.venue.server.exchange.next_fills.append("never")
    order = trader.send(trader.buy())

    assert trader.sync(minutes=60 * 24 * 400)["looked"] == 1
    assert (state(order), lookups(order)) == (OrderState.OPEN, 0)


def test_open_order_no_longer_found_stays_open(trader):
    trader.venue.server.exchange.next_fills.append("never")
    order = trader.send(trader.buy())

    for _ in range(4):
        trader.sync(forgetful(trader))

    assert (state(order), lookups(order)) == (OrderState.OPEN, 4)


@pytest.mark.parametrize("arrived", [True, False])
def test_intent_of_a_dead_sender_becomes_unknown_after_its_send_limit(trader, arrived):
    order = trader.buy()
    if arrived:
        trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync(minutes=1)

    assert state(order) == (OrderState.DONE if arrived else OrderState.UNKNOWN)
    assert trader.send(order).state == order.state
    assert trader.posts == arrived


def test_round_waits_for_a_sender_about_to_send(trader):
    order, clock = trader.buy(), trader.clock
    trader.clock = Clock(sleep=lambda _: trader.send(order, clock=clock))

    trader.sync(minutes=0.1)

    assert state(order) == OrderState.DONE
    assert "UNKNOWN" not in order.events.values_list("state_after", flat=True)


def test_round_waits_at_most_for_the_send_limit_of_an_intent(trader):
    trader.buy()
    began = trader.venue.at

    trader.sync(minutes=0)

    assert trader.venue.at - began == submission.SEND_DEADLINE


@pytest.mark.parametrize("before_s", [0, 0.5, 2, 19, 19.5, 20, 25, 299])
def test_three_rounds_resolve_an_intent_of_a_sender_killed_at_any_time(trader, before_s):
    order = trader.buy()
    assert submission._claim(order, trader.venue.at)
    first = trader.venue.later(before_s)

    given_up = [trader.sync_at(first + timedelta(minutes=minutes))["lost"] for minutes in (0, 5, 10)]

    assert (given_up, state(order)) == ([0, 0, 1], OrderState.LOST)
    assert trader.venue.at - order.events.get(what="moved", state_after=OrderState.UNKNOWN).at >= timedelta(
        minutes=10
    )


def test_arrived_order_of_a_dead_sender_is_booked_at_once(trader):
    order = trader.buy()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync(minutes=0.1)

    assert state(order) == OrderState.DONE


def test_unsent_order_of_a_dead_sender_is_lost_after_three_rounds(trader):
    order = trader.buy()

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]
    assert state(order) == OrderState.LOST


def test_failed_lookup_of_one_order_does_not_block_the_others(trader):
    markets = ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    orders = [unknown_order(trader, "drop_after", market=market) for market in markets]
    trader.fail_lookup("500")

    with pytest.raises(Unavailable):
        trader.sync()

    assert [state(order) for order in orders] == [OrderState.UNKNOWN, OrderState.DONE, OrderState.DONE]
    assert not SyncRound.objects.exists()
    trader.sync()
    assert state(orders[0]) == OrderState.DONE


def test_ban_ends_the_round_at_once(trader):
    for market in ("KRW-BTC", "KRW-ETH"):
        unknown_order(trader, "drop_after", market=market)
    before = trader.venue.requests.count("GET /v1/order")
    trader.fail_lookup("418")

    with pytest.raises(RateLimited):
        trader.sync()

    assert trader.venue.requests.count("GET /v1/order") == before + 1


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/orders/open", "/v1/orders/closed"])
def test_incomplete_round_is_not_recorded(trader, path):
    trader.fail("503", "GET", path)

    with pytest.raises(ClientError):
        trader.sync()

    assert not SyncRound.objects.exists()


def test_lookup_counts_even_if_its_round_fails_later(trader):
    order = unknown_order(trader)
    for path in ("/v1/accounts", "/v1/orders/open"):
        trader.fail("503", "GET", path)
        with pytest.raises(ClientError):
            trader.sync()

    assert lookups(order) == 2
    assert trader.sync()["lost"] == 1


def test_external_activity_is_reported_and_not_booked(trader):
    trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000)

    assert trader.sync()["external"] == 2  # the order, and the coins that it brought
    assert not Order.objects.exists()
    assert position("KRW-BTC").volume == Decimal(0)


def test_order_ended_concurrently_is_not_lost(trader, monkeypatch):
    order = unknown_order(trader)
    trader.sync()
    trader.sync()
    listed = trader.venue.client.open_orders

    def ended_concurrently(**filters):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE trading_order SET state = 'CANCELLED', uuid = 'u-1'")
        return listed(**filters)

    monkeypatch.setattr(trader.venue.client, "open_orders", ended_concurrently)

    assert trader.sync()["lost"] == 0
    assert state(order) == OrderState.CANCELLED


def test_recovered_open_order_has_no_end_and_no_reason(trader):
    order = unknown_order(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.server.exchange.next_fills.append("never")
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    trader.sync()

    assert (state(order), order.ended_at, order.reason) == (OrderState.OPEN, None, "")


def test_lookup_before_an_order_was_unknown_does_not_count(trader):
    order = trader.buy()
    lost_orders.record_not_found(order, trader.venue.at)
    assert (state(order), lookups(order)) == (OrderState.SUBMITTING, 1)

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]


def test_failing_lookups_of_one_order_do_not_keep_another_unknown(trader):
    unknown_order(trader, "drop_after", market="KRW-ETH")
    order = unknown_order(trader)

    for _ in range(3):
        trader.fail_lookup("500")
        with pytest.raises(Unavailable):
            trader.sync()

    assert state(order) == OrderState.LOST
    assert not SyncRound.objects.exists()


def test_lost_order_is_looked_up_when_no_list_shows_it(trader):
    order = unknown_order(trader)
    for _ in range(3):
        trader.sync()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)
    trader.wait(1)
    SyncRound.objects.create(at=trader.venue.later(1800))  # none of the next lists goes back so far

    trader.sync()

    assert state(order) == OrderState.DONE


def test_order_without_a_balance_before_it_is_not_lost(trader):
    order = unknown_order(trader)
    Order.objects.update(coin_before=None)

    for _ in range(4):
        trader.sync()

    assert state(order) == OrderState.UNKNOWN


class TestGiveup:
    """`manage.py giveup` ends an order about which no balance proves anything."""

    @pytest.fixture(autouse=True)
    def at_the_venue(self, trader, monkeypatch):
        monkeypatch.setattr(giveup, "exchange_client", lambda: trader.venue.client)
        monkeypatch.setattr(timezone, "now", lambda: trader.venue.at)
        monkeypatch.setattr(giveup, "refuse_unless_ready", lambda: None)

    def give_up(self, name):
        call_command("giveup", name, by="kim", reason="sold some by hand")

    def stuck(self, trader, rounds=3):
        order = unknown_order(trader)
        trader.venue.place("KRW-BTC", "bid", 10_000)
        for _ in range(rounds):
            trader.sync()
        return order

    def test_giveup_frees_the_market_and_is_recorded(self, trader):
        order = self.stuck(trader)
        assert state(order) == OrderState.UNKNOWN

        self.give_up(order.identifier)

        assert (state(order), order.reason) == (OrderState.LOST, "given up by kim: sold some by hand")
        facts = {"found": False, "by": "kim", "reason": "sold some by hand"}
        assert order.events.last().evidence == facts

    def test_giveup_requires_enough_lookups(self, trader):
        order = self.stuck(trader, rounds=2)
        with pytest.raises(CommandError, match="not looked up for long enough"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.UNKNOWN

    def test_giveup_refuses_an_order_that_the_exchange_shows(self, trader):
        order = self.stuck(trader)
        trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)
        with pytest.raises(CommandError, match="exists at the exchange"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.UNKNOWN

    def test_giveup_refuses_orders_that_are_not_unknown(self, trader):
        for name in (trader.send(trader.buy()).identifier, "ts-none"):
            with pytest.raises(CommandError, match="is not an UNKNOWN order of ours"):
                self.give_up(name)

    def test_giveup_keeps_an_order_found_concurrently(self, trader, monkeypatch):
        order = self.stuck(trader)
        listed = trader.venue.client.open_orders

        def ended_concurrently(**filters):
            Order.objects.update(state="CANCELLED", uuid="u-1")
            return listed(**filters)

        monkeypatch.setattr(trader.venue.client, "open_orders", ended_concurrently)
        with pytest.raises(CommandError, match="another process is working on"):
            self.give_up(order.identifier)
        assert state(order) == OrderState.CANCELLED
