"""The whole trading loop as its jobs run it: price, signal, checks, order, fill, and the pages about them."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin import site as admin_site
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from tests.clients.peer import LONG_TIMEOUT_S, extend_timeouts
from tests.leaks import shown
from tradingsite.clients import factory
from tradingsite.jobs import fence, tasks
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.orders.execution import signal_order, submission
from tradingsite.orders.models import AccountReading, Fill, Order
from tradingsite.orders.portfolio.positions import position
from tradingsite.risk.halts import halt_now
from tradingsite.risk.models import Halt
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db(transaction=True)

MARKET = "KRW-BTC"


@pytest.fixture
def exchange(settings, monkeypatch):
    extend_timeouts(monkeypatch)
    for limit in ("POST_WITHIN_S", "LOOKUP_WITHIN_S"):
        monkeypatch.setattr(submission, limit, LONG_TIMEOUT_S)
    monkeypatch.setattr(signal_order, "READ_WITHIN_S", LONG_TIMEOUT_S)
    with SandboxServer(options=Options(fill_after_ms=0)) as server:
        settings.UPBIT_URL = settings.GEMINI_URL = server.url
        yield server


@pytest.fixture
def five_calm_minutes(exchange):
    """Five minutes of polls with one price, a collection and a check of volatility."""
    now = timezone.now()
    price = factory.upbit_client().tickers([MARKET])[0].trade_price
    for number in range(1, 31):
        at = now - timedelta(seconds=10 * number)
        Poll.objects.create(polled_at=at, markets=[MARKET])
        Ticker.objects.create(market=MARKET, traded_at=at, price=price, first_seen_at=at, last_seen_at=at)
    run("collect_market_data")
    run("check_volatility")


def run(job):
    call_command("runjob", job)


def signal(exchange, decision):
    exchange.model.queue_decision(decision, confidence=Decimal("0.9"))
    run("generate_trading_signal")
    return TradingSignal.objects.newest()


@pytest.mark.usefixtures("five_calm_minutes")
def test_buy_and_sell_run_through_the_whole_chain_and_match_the_exchange(exchange, admin_client, capsys):
    bought = signal(exchange, "BUY").order

    assert (bought.state, bought.reason) == ("DONE", ""), bought.checks
    assert all(check["passed"] for check in bought.checks)
    purses = exchange.exchange.balances()
    assert position(MARKET).volume == bought.executed_volume == purses["BTC"].balance
    assert purses["KRW"].balance == 10_000_000 - bought.executed_funds - bought.paid_fee
    reading = AccountReading.objects.latest()
    price = Ticker.objects.filter(market=MARKET).latest("traded_at").price
    assert reading.equity == purses["KRW"].balance + purses["BTC"].balance * price

    sold = signal(exchange, "SELL").order

    assert sold.state == "DONE"
    assert position(MARKET).volume == exchange.exchange.balances()["BTC"].balance == 0
    assert [post.status for post in exchange.exchange.posts] == [201, 201]
    call = TradingSignal.objects.newest().call
    assert json.loads(call.prompt)
    assert call.response
    assert call.latency_ms is not None
    assert call.model_answered == call.model_asked

    everything = "\n".join([*pages_about(admin_client, sold), *stored(), *capsys.readouterr()])
    assert call.prompt_sha256 in everything
    assert shown(everything) == []


def pages_about(client, order):
    """Yield every list of ours in admin, the order's and its signal's page, status page and health detail."""
    for model in admin_site._registry:
        if model.__module__.startswith("tradingsite") and model._meta.managed:
            listing = client.get(
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            )
            assert listing.status_code == 200, model
            yield listing.content.decode()
    for record in (order, order.signal):
        name = f"admin:{record._meta.app_label}_{record._meta.model_name}_change"
        page = client.get(reverse(name, args=[record.pk]))
        assert page.status_code == 200
        yield page.content.decode()
    yield client.get("/status/").content.decode()
    yield client.get("/api/v1/health/detail").content.decode()


def stored():
    """Yield all rows of all tables as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" AS t')  # noqa: S608 - the table's own name
            yield from (row for (row,) in cursor.fetchall())


@pytest.mark.usefixtures("five_calm_minutes")
def test_operator_halt_denies_a_buy_and_allows_a_sell(exchange):
    signal(exchange, "BUY")
    halt_now("lunch", "kim")

    denied = signal(exchange, "BUY").order
    sold = signal(exchange, "SELL").order

    assert (denied.state, denied.reason) == ("DENIED", "halted")
    assert "lunch" in next(check["text"] for check in denied.checks if check["name"] == "halted")
    assert sold.state == "DONE"
    run("check_volatility")
    assert Halt.objects.open().filter(kind="operator").exists()


@pytest.mark.usefixtures("five_calm_minutes")
def test_stop_loss_sells_without_the_model_while_buys_are_halted(exchange):
    bought = signal(exchange, "BUY").order
    halt_now("storm", "kim")
    drop_price(bought)

    run("check_volatility")

    stopped = Order.objects.get(cause="stop_loss")
    assert (stopped.state, stopped.signal) == ("DONE", None)
    assert position(MARKET).volume == 0
    assert Halt.objects.open().filter(kind="volatility").exists()


@pytest.mark.usefixtures("five_calm_minutes")
def test_scheduler_that_lost_its_lock_sends_no_order(exchange):
    bought = signal(exchange, "BUY").order
    exchange.model.queue_decision("SELL", confidence=Decimal("0.9"))

    with fence.guarded_by(lambda: False):
        tasks.generate_trading_signal(timezone.now())
        drop_price(bought)
        tasks.check_volatility(timezone.now())

    unsent = Order.objects.exclude(pk=bought.pk).order_by("pk")
    assert [(order.cause, order.state) for order in unsent] == [
        ("signal", "REJECTED"),
        ("stop_loss", "REJECTED"),
    ]
    assert all(order.reason.startswith("never sent") for order in unsent)
    assert len(exchange.exchange.posts) == 1


def drop_price(bought):
    """Store a price 6 % below what was paid."""
    paid = Fill.objects.filter(order=bought).latest("traded_at").price
    now = timezone.now()
    dropped = {"price": paid * Decimal("0.94"), "first_seen_at": now, "last_seen_at": now}
    Ticker.objects.create(market=MARKET, traded_at=now, **dropped)


def test_buy_is_denied_without_a_volatility_check(exchange):
    run("collect_market_data")

    denied = signal(exchange, "BUY").order

    assert (denied.state, denied.reason) == ("DENIED", "volatility_unchecked")
    assert not exchange.exchange.posts
