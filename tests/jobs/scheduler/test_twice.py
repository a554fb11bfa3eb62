"""A body that runs twice for one tick writes, asks and places nothing twice (docs/scheduler.md R14)."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tests.jobs.test_tasks import remember
from tradingsite.clients import factory
from tradingsite.jobs import tasks
from tradingsite.jobs.scheduler import run_job
from tradingsite.jobs.scheduler.run_job import execute, execute_by_hand
from tradingsite.jobs.timetable import registered
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.orders.models import Order
from tradingsite.risk.models import Halt
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy.calls import ModelCall
from tradingsite.strategy.models import SignalOutcome, TradingSignal

pytestmark = pytest.mark.django_db(transaction=True)

MARKET = "KRW-BTC"
_FAIL_ONCE = """
CREATE SEQUENCE failures;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('failures') = 1 THEN
        RAISE EXCEPTION 'the database goes away' USING ERRCODE = 'crash_shutdown';
    END IF;
    RETURN NEW;
END $$;
"""


@pytest.fixture
def exchange(settings):
    with SandboxServer() as server:
        settings.UPBIT_URL = settings.GEMINI_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def no_delay_between_attempts(monkeypatch):
    """The delays themselves are tested in `test_retrying`."""
    monkeypatch.setattr(run_job, "attempts", partial(run_job.attempts, pause=lambda _delay_s: False))


@pytest.fixture
def calm(exchange):
    """Every poll of the last five minutes saw the same price, and both checks of the market ran."""
    now = timezone.now()
    price = factory.upbit_client().tickers([MARKET])[0].trade_price
    for number in range(1, 31):
        then = now - timedelta(seconds=10 * number)
        Poll.objects.create(polled_at=then, markets=[MARKET])
        Ticker.objects.create(
            market=MARKET, traded_at=then, price=price, first_seen_at=then, last_seen_at=then
        )
    for name in ("collect_market_data", "check_volatility"):
        call_command("runjob", name)
    exchange.model.queue_decision("BUY", confidence=Decimal("0.9"))
    return exchange


@pytest.fixture
def fail_once():
    """Let the first write of a kind fail as it does when the database goes away, and all others succeed."""
    tables = []

    def fail(when, table):
        tables.append(table)
        with connection.cursor() as cursor:
            cursor.execute(_FAIL_ONCE)
            cursor.execute(
                f"CREATE TRIGGER fail_once BEFORE {when} FOR EACH ROW EXECUTE FUNCTION fail_once()"
            )

    yield fail
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER fail_once ON {tables[0]}")
        cursor.execute("DROP FUNCTION fail_once; DROP SEQUENCE failures")


def run(name, tick=None):
    outcome, _ = execute(registered()[name], tick or timezone.now())
    return outcome


def questions(exchange):
    return sum(each.request.path.endswith(":generateContent") for each in exchange.requests)


def test_an_answer_that_could_not_be_kept_is_not_asked_for_again(calm, fail_once):
    fail_once("INSERT ON trading_signal", "trading_signal")

    outcome = run("generate_trading_signal")

    assert (outcome.error, outcome.attempts) == (None, 2)
    assert (questions(calm), ModelCall.objects.count()) == (1, 1)
    signal = TradingSignal.objects.get()
    assert (signal.decision, signal.reason_code) == ("HOLD", "asked_before")
    assert list(calm.exchange.posts) == []


def test_a_run_by_hand_keeps_its_moment_when_it_is_tried_again(calm, fail_once):
    fail_once("UPDATE OF uuid ON trading_order", "trading_order")

    outcome = execute_by_hand(registered()["generate_trading_signal"])

    assert (questions(calm), outcome.attempts, outcome.error) == (1, 2, None)
    assert TradingSignal.objects.count() == 1
    assert [post.status for post in calm.exchange.posts] == [201]


def test_a_signal_whose_order_could_not_be_written_gets_it_in_the_next_attempt(calm, fail_once):
    fail_once("INSERT ON trading_order", "trading_order")

    outcome = run("generate_trading_signal")

    assert (outcome.error, outcome.attempts, outcome.counts["buy"]) == (None, 2, 1)
    assert (questions(calm), TradingSignal.objects.get().decision) == (1, "BUY")
    assert Order.objects.get().state == "DONE"
    assert [post.status for post in calm.exchange.posts] == [201]


def test_an_order_whose_outcome_could_not_be_written_is_not_sent_again(calm, fail_once):
    fail_once("UPDATE OF uuid ON trading_order", "trading_order")

    outcome = run("generate_trading_signal")

    assert (questions(calm), outcome.attempts, outcome.error) == (1, 2, None)
    assert [post.status for post in calm.exchange.posts] == [201]
    assert Order.objects.get().state == "DONE", "the second attempt's reconciliation has found it"


def test_every_body_leaves_after_two_runs_of_a_tick_what_it_left_after_one(calm):
    tick = timezone.now()
    remember(["100", "110"], market="KRW-ETH")
    old = timezone.now() - timedelta(hours=25)
    price = Ticker.objects.filter(market=MARKET).latest("traded_at").price
    TradingSignal.objects.create(
        market=MARKET, tick=old, as_of=old, price=price, decision="HOLD", reasoning="-", inputs={}, config={}
    )
    for body in (tasks.generate_trading_signal, tasks.check_volatility, tasks.sync_pending_orders):
        body(tick)
    first = rows()
    for body in (tasks.generate_trading_signal, tasks.check_volatility, tasks.sync_pending_orders):
        body(tick)

    assert rows() == first
    assert first["outcomes"] == 3
    assert questions(calm) == 1
    assert [post.status for post in calm.exchange.posts] == [201]
    tasks.collect_market_data(tick)
    prices = Ticker.objects.count()
    tasks.cleanup_old_data(tick)
    tasks.cleanup_old_data(tick)
    assert Ticker.objects.count() == prices


def rows():
    return {
        "signals": TradingSignal.objects.count(),
        "calls": ModelCall.objects.count(),
        "orders": Order.objects.count(),
        "outcomes": SignalOutcome.objects.count(),
        "halts": list(Halt.objects.values_list("market", "kind", "started_at")),
    }
