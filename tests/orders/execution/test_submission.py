"""One POST an intent, and what each answer to it proves (docs/orders.md O5 to O9)."""

from decimal import Decimal

import pytest
from django.db import IntegrityError

from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.outcome import Accepted
from tradingsite.orders.execution import intents, submission
from tradingsite.orders.models import Order, OrderState
from tradingsite.orders.portfolio.positions import position

pytestmark = pytest.mark.django_db


def last_move(order):
    return order.events.filter(what="moved").last()


def test_a_buy_is_filled_and_booked_to_the_last_digit(trader):
    order = trader.send(trader.buy(10_000))

    (told,) = trader.venue.server.exchange.orders()
    assert (order.state, order.uuid, told.state) == (OrderState.DONE, told.uuid, "cancel")
    assert order.executed_volume == trader.venue.purse("BTC") == position("KRW-BTC").volume
    assert trader.venue.purse("KRW") == 10_000_000 - order.executed_funds - order.paid_fee
    assert [(each.state_before, each.state_after) for each in order.events.all()] == [
        ("PLANNED", "SUBMITTING"),
        ("SUBMITTING", "OPEN"),
        ("OPEN", "DONE"),
    ]


def test_a_sell_brings_what_the_fills_say_less_the_fee(trader):
    bought = trader.send(trader.buy(10_000))

    order = trader.send(trader.sell(bought.executed_volume))

    assert order.state == OrderState.DONE
    assert trader.venue.purse("BTC") == position("KRW-BTC").volume == 0
    spent = bought.executed_funds + bought.paid_fee
    assert trader.venue.purse("KRW") == 10_000_000 - spent + order.executed_funds - order.paid_fee


@pytest.mark.parametrize("fault", ["drop_after", "malformed_json"])
def test_an_order_whose_answer_was_lost_is_found_and_never_sent_again(trader, fault):
    trader.break_post(fault)

    order = trader.send(trader.buy())

    assert order.state == OrderState.DONE
    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]
    assert (trader.posts, trader.theirs) == (1, [(order.identifier, "cancel")])


@pytest.mark.parametrize("fault", ["drop_before", "500", "502", "503", "418"])
def test_an_order_that_may_have_arrived_stays_unknown_and_is_never_sent_again(trader, fault):
    trader.break_post(fault)

    order = trader.send(trader.buy())

    assert (order.state, order.ended_at, trader.posts, trader.theirs) == (OrderState.UNKNOWN, None, 1, [])
    assert "outcome" in last_move(order).evidence


@pytest.mark.parametrize("fault", ["429", "429_text"])
def test_an_order_above_the_rate_limit_was_refused_and_is_never_sent_again(trader, fault):
    trader.break_post(fault)

    order = trader.send(trader.buy())

    assert (order.state, trader.posts, trader.theirs) == (OrderState.REJECTED, 1, [])
    assert order.ended_at == trader.venue.at


def test_a_refusal_is_kept_in_upbits_words(trader):
    order = trader.send(trader.buy(4_999))

    assert order.state == OrderState.REJECTED
    assert last_move(order).evidence["name"] == "under_min_total_bid"
    assert order.reason.startswith("under_min_total_bid: ")


def test_a_used_identifier_proves_nothing_until_a_look_decides(trader):
    order = trader.buy()
    trader.venue.place("KRW-BTC", "bid", 10_000, order.identifier)

    order = trader.send(order)

    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]


def test_what_could_not_be_sent_is_rejected(trader):
    order = trader.buy()
    nowhere = UpbitExchange("http://127.0.0.1:1", "key", "secret" * 8, retries=0)

    order = trader.send(order, nowhere)

    assert order.state == OrderState.REJECTED
    assert order.reason.startswith("never sent: ")


def test_nothing_is_sent_by_who_may_not_post(trader):
    order = trader.send(trader.buy(), may_post=lambda: False)

    assert (order.state, trader.posts) == (OrderState.REJECTED, 0)


def test_the_question_whether_it_may_post_is_asked_after_the_intent_is_locked_and_before_it_is_sent(trader):
    seen = []

    def may_post():
        seen.append((Order.objects.get().state, trader.posts))
        return True

    trader.send(trader.buy(), may_post=may_post)

    assert seen == [("SUBMITTING", 0)]


def test_a_decision_that_grew_old_is_not_sent(trader):
    passed_s = iter([0.0, submission.SEND_WITHIN_S])
    decided = Deadline(submission.SEND_WITHIN_S, Clock(monotonic=lambda: next(passed_s)))

    order = trader.send(trader.buy(), decided=decided)

    assert (order.state, trader.posts) == (OrderState.REJECTED, 0)


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.REJECTED])
def test_only_an_intent_that_waits_to_be_sent_is_sent(trader, state):
    order = trader.buy()
    intents.transition(order, state, trader.venue.at, {})

    assert (trader.send(order).state, trader.posts) == (state, 0)


def test_an_order_is_sent_once_however_often_it_is_submitted(trader):
    order = trader.buy()

    states = [trader.send(order).state for _ in range(3)]

    assert (states, trader.posts) == ([OrderState.DONE] * 3, 1)


def test_part_of_an_order_is_kept_when_the_rest_is_cancelled(trader):
    trader.venue.server.exchange.next_fills.append("partial_then_cancel")

    order = trader.send(trader.buy(10_000))

    assert order.state == OrderState.CANCELLED
    assert order.executed_volume == trader.venue.purse("BTC") == position("KRW-BTC").volume > 0
    assert trader.venue.purse("KRW") == 10_000_000 - order.executed_funds - order.paid_fee


def test_an_order_that_is_not_filled_soon_is_left_open(trader):
    trader.venue.server.exchange.next_fills.append("never")
    sent_at = trader.venue.at

    order = trader.send(trader.buy())

    assert (order.state, order.executed_volume) == (OrderState.OPEN, Decimal(0))
    assert (trader.venue.at - sent_at).total_seconds() == pytest.approx(sum(submission.LOOKUP_DELAYS_S))


def test_a_look_that_fails_leaves_the_order_to_the_reconciliation(trader):
    trader.break_look("500")

    order = trader.send(trader.buy())

    assert (order.state, trader.posts) == (OrderState.OPEN, 1)
    assert trader.venue.asked.count("GET /v1/order") == 1


def test_an_answer_that_does_not_come_in_time_is_unknown(trader, monkeypatch):
    monkeypatch.setattr(submission, "POST_WITHIN_S", 0.2)
    trader.break_post("silence", seconds=1)

    assert trader.send(trader.buy()).state == OrderState.UNKNOWN


def test_an_intent_whose_outcome_was_not_written_is_not_sent_a_second_time(trader):
    order = trader.buy()

    class Gone(Exception):
        """The sender's connection to the database."""

    def lose_it():
        raise Gone

    with pytest.raises(Gone):
        trader.send(order, may_post=lose_it)  # as if it had been sent: nobody can tell

    assert (trader.send(order).state, trader.posts) == (OrderState.SUBMITTING, 0)


def test_an_intent_is_marked_as_sent_before_it_is_and_the_mark_stays(trader):
    marks = []
    order = trader.buy()
    assert order.submitted_at is None

    def look():
        marks.append(Order.objects.get().submitted_at)
        return True

    sent_at = trader.venue.at
    trader.send(order, may_post=look)

    assert marks == [sent_at]
    with pytest.raises(IntegrityError, match="sent once"):
        Order.objects.update(submitted_at=None)


def test_an_acceptance_that_our_books_refuse_is_unknown(trader):
    taken = "u" * 65
    order = trader.buy()

    class Nonsense(UpbitExchange):
        def place(self, request, **bounds):
            outcome = super().place(request, **bounds)
            return Accepted(outcome.order.model_copy(update={"uuid": taken}))

    client = trader.venue.client
    order = trader.send(order, Nonsense(client.base_url, client.access_key, client.secret_key, retries=0))

    assert [each.state_after for each in order.events.filter(what="moved")][1:] == ["UNKNOWN", "DONE"]
    assert trader.posts == 1


def test_an_intent_that_was_judged_between_its_mark_and_its_lock_is_not_sent(trader, monkeypatch):
    order = trader.buy()
    claim = submission._claim

    def judged_meanwhile(intent, at):
        claimed = claim(intent, at)
        trader.sync(minutes=1)  # this process was frozen for a minute
        return claimed

    monkeypatch.setattr(submission, "_claim", judged_meanwhile)

    assert (trader.send(order).state, trader.posts) == (OrderState.UNKNOWN, 0)
