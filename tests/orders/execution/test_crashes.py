"""One order an intent, whatever crashes and runs at the same time (docs/orders.md O4 to O7, O13)."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier

import psycopg
import pytest
from django.db import Error, connection, transaction

from tests.clients.peer import LONG_TIMEOUT_S, wait_until
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
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def let_it_send(process):
    process.stdin.write("\n")
    process.stdin.flush()


def wait_for_unlocked_row():
    with transaction.atomic():
        Order.objects.select_for_update().get()


def state():
    return Order.objects.get().state


def run_concurrently(*jobs):
    """Run each job in its own thread; return their results in order."""

    def one(job):
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(one, jobs))


class ReadsTogether(UpbitExchange):
    """Returns the balances when all threads have read them."""

    def wait_for(self, number):
        self.barrier = Barrier(number)
        return self

    def accounts(self, **bounds):
        balances = super().accounts(**bounds)
        self.barrier.wait(LONG_TIMEOUT_S)
        return balances


def like(trader, kind):
    client = trader.venue.client
    return kind(client.base_url, client.access_key, client.secret_key, retries=0, clock=client.clock)


def reading_together(trader, number):
    return like(trader, ReadsTogether).wait_for(number)


def test_intent_of_a_sender_killed_before_its_post_becomes_lost(trader):
    order = trader.buy()
    with sender(trader, order):
        assert trader.sync(minutes=1)["busy"] == 1, "a live sender is waited for"
        assert state() == OrderState.SUBMITTING
    wait_for_unlocked_row()

    assert [trader.sync()["lost"] for _ in range(3)] == [0, 0, 1]
    assert (state(), trader.posts) == (OrderState.LOST, 0)


def test_order_of_a_sender_killed_after_its_post_is_found(trader):
    order = trader.buy()
    trader.fail_post("latency", seconds=3600)
    with sender(trader, order) as process:
        let_it_send(process)
        wait_until(lambda: trader.posts)
        assert trader.sync(minutes=1)["busy"] == 1
    wait_for_unlocked_row()
    assert state() == OrderState.SUBMITTING

    trader.sync()

    assert state() == OrderState.DONE
    assert (trader.posts, trader.exchange_orders) == (1, [(order.identifier, "cancel")])


def test_lost_database_connection_during_the_post_delays_only_the_result(trader):
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


def test_uncommitted_intent_is_not_sent(trader):
    order = trader.buy()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        trader.send(order)

    assert trader.posts == 0


def test_two_processes_make_one_order_from_a_signal(trader):
    trader.see_prices()
    signal, client = trader.signal(), reading_together(trader, 2)

    first, second = run_concurrently(*[partial(trader.act, signal, client)] * 2)

    assert first.pk == second.pk
    assert (Order.objects.get().state, trader.posts) == (OrderState.DONE, 1)


def test_two_signals_of_a_market_make_one_order_at_a_time(trader):
    trader.see_prices()
    trader.venue.server.exchange.next_fills.append("never")
    client = reading_together(trader, 2)

    run_concurrently(*[partial(trader.act, trader.signal(), client) for _ in range(2)])

    denied, sent = Order.objects.order_by("state")
    assert [(denied.state, denied.reason), sent.state] == [("DENIED", "order_unresolved"), "OPEN"]
    assert len(denied.checks) > 1, "the gate saw the other order; no constraint had to keep it out"
    assert trader.posts == 1


def test_overtaken_round_books_nothing_twice(trader):
    trader.fail_post("drop_after")
    trader.fail_lookup("500")
    order = trader.send(trader.buy())

    class Overtaken(UpbitExchange):
        def order(self, **name):
            answer = super().order(**name)
            assert trader.sync(minutes=0.1)["ended"] == 1
            return answer

    assert trader.sync(like(trader, Overtaken))["ended"] == 0

    order.refresh_from_db()
    assert order.state == OrderState.DONE
    assert sum(fill.volume for fill in Fill.objects.all()) == order.executed_volume
    assert OrderEvent.objects.filter(what="moved", state_after="DONE").count() == 1


def test_writer_of_one_market_does_not_block_another_market(trader):
    with market_lock("KRW-BTC"):
        (order,) = run_concurrently(partial(trader.buy, market="KRW-ETH"))

    assert order.state == OrderState.SUBMITTING


def test_writer_of_a_market_blocks_the_next_writer_of_it(trader):
    with ThreadPoolExecutor(1) as pool:
        with market_lock("KRW-BTC"):
            next_one = pool.submit(run_concurrently, trader.buy)
            wait_until(lambda: waiting_locks() == 1)
            first = trader.buy()
            intents.transition(first, OrderState.REJECTED, trader.venue.at, {})
        (second,) = next_one.result(LONG_TIMEOUT_S)

    assert list(Order.objects.order_by("pk")) == [first, second]


def waiting_locks():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]
