"""One POST an intent, and what each answer to it proves (docs/orders.md O5 to O9)."""

from decimal import Decimal

import pytest
from django.db import IntegrityError

from tradingsite.clients.connection import Bounds
from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.outcome import Accepted
from tradingsite.orders.execution import intents, submission
from tradingsite.orders.models import Order, OrderState
from tradingsite.orders.portfolio.positions import position

pytestmark = pytest.mark.django_db


def last_move(order):
    return order.events.filter(what="moved").last()


def test_buy_is_filled_and_booked_exactly(trader):
    order = trader.send(trader.buy(10_000))

    (placed,) = trader.venue.server.exchange.orders()
    assert (order.state, order.uuid, placed.state) == (OrderState.DONE, placed.uuid, "cancel")
    assert order.executed_volume == trader.venue.balance("BTC") == position("KRW-BTC").volume
    assert trader.venue.balance("KRW") == 10_000_000 - order.executed_funds - order.paid_fee
    assert [(each.state_before, each.state_after) for each in order.events.all()] == [
        ("PLANNED", "SUBMITTING"),
        ("SUBMITTING", "OPEN"),
        ("OPEN", "DONE"),
    ]


def test_sell_brings_its_fills_less_the_fee(trader):
    bought = trader.send(trader.buy(10_000))

    order = trader.send(trader.sell(bought.executed_volume))

    assert order.state == OrderState.DONE
    assert trader.venue.balance("BTC") == position("KRW-BTC").volume == 0
    spent = bought.executed_funds + bought.paid_fee
    assert trader.venue.balance("KRW") == 10_000_000 - spent + order.executed_funds - order.paid_fee


@pytest.mark.parametrize("fault", ["drop_after", "malformed_json"])
def test_order_with_a_lost_answer_is_found_and_not_sent_again(trader, fault):
    trader.fail_post(fault)

    order = trader.send(trader.buy())

    assert order.state == OrderState.DONE
    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]
    assert (trader.posts, trader.exchange_orders) == (1, [(order.identifier, "cancel")])


@pytest.mark.parametrize("fault", ["drop_before", "500", "502", "503", "418"])
def test_order_that_may_have_arrived_stays_unknown_and_is_not_sent_again(trader, fault):
    trader.fail_post(fault)

    order = trader.send(trader.buy())

    assert (order.state, order.ended_at, trader.posts, trader.exchange_orders) == (
        OrderState.UNKNOWN,
        None,
        1,
        [],
    )
    assert "outcome" in last_move(order).evidence


@pytest.mark.parametrize("fault", ["429", "429_text"])
def test_rate_limited_order_is_rejected_and_not_sent_again(trader, fault):
    trader.fail_post(fault)

    order = trader.send(trader.buy())

    assert (order.state, trader.posts, trader.exchange_orders) == (OrderState.REJECTED, 1, [])
    assert order.ended_at == trader.venue.at


def test_rejected_order_keeps_upbits_error(trader):
    order = trader.send(trader.buy(4_999))

    assert order.state == OrderState.REJECTED
    assert last_move(order).evidence["name"] == "under_min_total_bid"
    assert order.reason.startswith("under_min_total_bid: ")


def test_used_identifier_is_unknown_until_the_order_is_looked_up(trader):
    order = trader.buy()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    order = trader.send(order)

    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]


def test_order_that_could_not_be_sent_is_rejected(trader):
    order = trader.buy()
    nowhere = UpbitExchange("http://127.0.0.1:1", "key", "secret" * 8, retries=0)

    order = trader.send(order, nowhere)

    assert order.state == OrderState.REJECTED
    assert order.reason.startswith("never sent: ")


def test_sender_without_permission_sends_nothing(trader):
    order = trader.send(trader.buy(), may_post=lambda: False)

    assert (order.state, trader.posts) == (OrderState.REJECTED, 0)


def test_permission_to_post_is_checked_between_lock_and_post(trader):
    seen = []

    def may_post():
        seen.append((Order.objects.get().state, trader.posts))
        return True

    trader.send(trader.buy(), may_post=may_post)

    assert seen == [("SUBMITTING", 0)]


def test_expired_decision_is_not_sent(trader):
    passed_s = iter([0.0, submission.SEND_WITHIN_S])
    decided = Deadline(submission.SEND_WITHIN_S, Clock(monotonic=lambda: next(passed_s)))

    order = trader.send(trader.buy(), decided=decided)

    assert (order.state, trader.posts) == (OrderState.REJECTED, 0)


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.REJECTED])
def test_only_a_submitting_intent_is_sent(trader, state):
    order = trader.buy()
    intents.transition(order, state, trader.venue.at, {})

    assert (trader.send(order).state, trader.posts) == (state, 0)


def test_repeated_submission_sends_an_order_once(trader):
    order = trader.buy()

    states = [trader.send(order).state for _ in range(3)]

    assert (states, trader.posts) == ([OrderState.DONE] * 3, 1)


def test_partial_fill_is_booked_when_the_rest_is_cancelled(trader):
    trader.venue.server.exchange.next_fills.append("partial_then_cancel")

    order = trader.send(trader.buy(10_000))

    assert order.state == OrderState.CANCELLED
    assert order.executed_volume == trader.venue.balance("BTC") == position("KRW-BTC").volume > 0
    assert trader.venue.balance("KRW") == 10_000_000 - order.executed_funds - order.paid_fee


def test_order_not_filled_soon_is_left_open(trader):
    trader.venue.server.exchange.next_fills.append("never")
    sent_at = trader.venue.at

    order = trader.send(trader.buy())

    assert (order.state, order.executed_volume) == (OrderState.OPEN, Decimal(0))
    assert (trader.venue.at - sent_at).total_seconds() == pytest.approx(sum(submission.LOOKUP_DELAYS_S))


def test_failed_lookup_leaves_the_order_to_the_reconciliation(trader):
    trader.fail_lookup("500")

    order = trader.send(trader.buy())

    assert (order.state, trader.posts) == (OrderState.OPEN, 1)
    assert trader.venue.requests.count("GET /v1/order") == 1


def test_answer_later_than_the_limit_is_unknown(trader, monkeypatch):
    monkeypatch.setattr(submission, "POST_WITHIN_S", 0.2)
    trader.fail_post("silence", seconds=3600)
    order = trader.buy()

    with pytest.MonkeyPatch.context() as patch:  # undone before the venue's own patch of the same method
        patch.setattr(Bounds, "for_read_s", lambda bounds: bounds.deadline.left_s())
        assert trader.send(order).state == OrderState.UNKNOWN


def test_intent_without_a_stored_outcome_is_not_sent_again(trader):
    order = trader.buy()

    class Gone(Exception):
        """The sender's connection to the database."""

    def lose_it():
        raise Gone

    with pytest.raises(Gone):
        trader.send(order, may_post=lose_it)  # it may have been sent or not

    assert (trader.send(order).state, trader.posts) == (OrderState.SUBMITTING, 0)


def test_intent_is_marked_as_submitted_before_the_post_for_good(trader):
    marks = []
    order = trader.buy()
    assert order.submitted_at is None

    def read_mark():
        marks.append(Order.objects.get().submitted_at)
        return True

    sent_at = trader.venue.at
    trader.send(order, may_post=read_mark)

    assert marks == [sent_at]
    with pytest.raises(IntegrityError, match="sent once"):
        Order.objects.update(submitted_at=None)


def test_acceptance_that_cannot_be_stored_is_unknown(trader):
    taken = "u" * 65
    order = trader.buy()

    class Nonsense(UpbitExchange):
        def place(self, request, **bounds):
            outcome = super().place(request, **bounds)
            return Accepted(outcome.order.model_copy(update={"uuid": taken}))

    client = trader.venue.client
    nonsense = Nonsense(client.base_url, client.access_key, client.secret_key, retries=0, clock=client.clock)
    order = trader.send(order, nonsense)

    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]
    assert trader.posts == 1


def test_intent_reconciled_between_mark_and_lock_is_not_sent(trader, monkeypatch):
    order = trader.buy()
    claim = submission._claim

    def judged_meanwhile(intent, at):
        claimed = claim(intent, at)
        trader.sync(minutes=1)  # this process was frozen for a minute
        return claimed

    monkeypatch.setattr(submission, "_claim", judged_meanwhile)

    assert (trader.send(order).state, trader.posts) == (OrderState.UNKNOWN, 0)
