"""Whatever dies, and whoever else is at work: one order an intent (docs/orders.md O4 to O7, O13)."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier

import psycopg
import pytest
from django.db import Error, connection, transaction

from tests.healthcheck.processes import ROOT, environment
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.orders.execution import intents
from tradingsite.orders.execution.intents import market_lock
from tradingsite.orders.models import Fill, Order, OrderEvent, OrderState

pytestmark = pytest.mark.django_db(
    transaction=True,
    available_apps=[
        "tradingsite.marketdata",
        "tradingsite.risk",
        "tradingsite.strategy",
        "tradingsite.orders",
    ],
)
WITHIN_S = 20


@contextmanager
def sender(trader, order):
    """Run a process that sends `order`, stopped right before its POST; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.orders.sender", trader.venue.server.url, str(order.pk)],
        cwd=ROOT,
        env=environment([]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "asked\n"
        yield process
        process.kill()


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def wait_for_unlocked_row():
    with transaction.atomic():
        Order.objects.select_for_update().get()


def state():
    return Order.objects.get().state


def at_once(*jobs):
    """Run all in threads of their own and return their results in order."""

    def one(job):
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(one, jobs))


class Together(UpbitExchange):
    """Lets nobody on before all have read."""

    def wait_for(self, number):
        self.barrier = Barrier(number)
        return self

    def accounts(self, **bounds):
        balances = super().accounts(**bounds)
        self.barrier.wait(WITHIN_S)
        return balances


def like(trader, kind):
    client = trader.venue.client
    return kind(client.base_url, client.access_key, client.secret_key, retries=0)


def together(trader, number):
    return like(trader, Together).wait_for(number)


def test_a_sender_killed_before_its_post_leaves_an_intent_that_is_given_up(trader):
    order = trader.buy()
    with sender(trader, order):
        assert trader.sync(minutes=1)["busy"] == 1, "it is alive, however long it takes"
        assert state() == OrderState.SUBMITTING
    wait_for_unlocked_row()

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]
    assert (state(), trader.posts) == (OrderState.LOST, 0)


def test_a_sender_killed_between_its_post_and_the_answer_leaves_an_order_that_is_found(trader):
    order = trader.buy()
    trader.break_post("latency", seconds=5)
    with sender(trader, order) as process:
        go_on(process)
        until(lambda: trader.posts)
        assert trader.sync(minutes=1)["busy"] == 1
    wait_for_unlocked_row()
    assert state() == OrderState.SUBMITTING

    trader.sync()

    assert state() == OrderState.DONE
    assert (trader.posts, trader.theirs) == (1, [(order.identifier, "cancel")])


def test_a_database_that_went_away_during_the_post_changes_nothing_but_the_moment_it_is_known(trader):
    order = trader.buy()

    def lose_the_database():
        params = {**connection.get_connection_params()}
        server = {name: params[name] for name in ("host", "port", "dbname", "user") if params.get(name)}
        with psycopg.connect(**server, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return True

    with pytest.raises(Error):
        trader.send(order, may_post=lose_the_database)
    connection.close()

    assert (state(), trader.posts) == (OrderState.SUBMITTING, 1)
    trader.sync()
    assert (state(), trader.posts) == (OrderState.DONE, 1)


def test_an_intent_that_could_still_be_rolled_back_is_not_sent(trader):
    order = trader.buy()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        trader.send(order)

    assert trader.posts == 0


def test_a_signal_that_two_act_on_makes_one_order(trader):
    trader.see_prices()
    signal, client = trader.signal(), together(trader, 2)

    first, second = at_once(*[partial(trader.act, signal, client)] * 2)

    assert first.pk == second.pk
    assert (Order.objects.get().state, trader.posts) == (OrderState.DONE, 1)


def test_two_signals_of_one_market_make_one_order_at_a_time(trader):
    trader.see_prices()
    trader.venue.server.exchange.next_fills.append("never")
    client = together(trader, 2)

    at_once(*[partial(trader.act, trader.signal(), client) for _ in range(2)])

    denied, sent = Order.objects.order_by("state")
    assert [(denied.state, denied.reason), sent.state] == [("DENIED", "order_unresolved"), "OPEN"]
    assert len(denied.checks) > 1, "the gate saw the other order; no constraint had to keep it out"
    assert trader.posts == 1


def test_a_round_that_another_one_overtakes_books_nothing_twice(trader):
    trader.break_post("drop_after")
    trader.break_look("500")
    order = trader.send(trader.buy())

    class Overtaken(UpbitExchange):
        def order(self, **name):
            told = super().order(**name)
            assert trader.sync(minutes=0.1)["ended"] == 1
            return told

    assert trader.sync(like(trader, Overtaken))["ended"] == 0

    order.refresh_from_db()
    assert order.state == OrderState.DONE
    assert sum(fill.volume for fill in Fill.objects.all()) == order.executed_volume
    assert OrderEvent.objects.filter(what="moved", state_after="DONE").count() == 1


def test_who_writes_in_one_market_holds_up_nobody_in_another(trader):
    with market_lock("KRW-BTC"):
        (order,) = at_once(partial(trader.buy, market="KRW-ETH"))

    assert order.state == OrderState.SUBMITTING


def test_who_writes_in_a_market_makes_the_next_one_wait(trader):
    with ThreadPoolExecutor(1) as pool:
        with market_lock("KRW-BTC"):
            next_one = pool.submit(at_once, trader.buy)
            until(lambda: waiting_locks() == 1)
            first = trader.buy()
            intents.transition(first, OrderState.REJECTED, trader.venue.at, {})
        (second,) = next_one.result(WITHIN_S)

    assert list(Order.objects.order_by("pk")) == [first, second]


def waiting_locks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]
