from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from sysconfig.models import SystemConfig
from tests.orders.trades import bought
from tradingsite.jobs import tasks
from tradingsite.jobs.shutdown import winding_down
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.orders.models import Order
from tradingsite.risk.models import Halt
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db


@pytest.fixture
def exchange(settings):
    with SandboxServer() as server:
        settings.UPBIT_URL = server.url
        yield server


def configure(**values):
    for key, value in values.items():
        SystemConfig.objects.set_value(key, value)


def see(market, price, moment):
    Ticker.objects.create(
        market=market, traded_at=moment, price=price, first_seen_at=moment, last_seen_at=moment
    )
    Poll.objects.create(polled_at=moment, markets=[market])


def remember(prices, market="KRW-BTC"):
    """Write five minutes of polls, the given prices spread over them."""
    now = timezone.now()
    for index in range(30):
        seen = now - timedelta(seconds=10 * (30 - index))
        price = Decimal(prices[index * len(prices) // 30])
        Ticker.objects.create(
            market=market, traded_at=seen, price=price, first_seen_at=seen, last_seen_at=seen
        )
        Poll.objects.create(polled_at=seen, markets=[market])


def test_prices_of_the_markets_configured_now_are_collected_with_one_request(exchange):
    configure(markets=["KRW-BTC", "KRW-ETH"])

    counts = tasks.collect_market_data(timezone.now())

    assert counts["stored"] == 2
    assert set(Ticker.objects.values_list("market", flat=True)) == {"KRW-BTC", "KRW-ETH"}
    assert len(exchange.requests) == 1


def test_a_market_that_is_held_is_collected_though_nobody_configured_it(exchange):
    bought("KRW-ETH", (5_000_000, "0.01"), at=timezone.now())

    tasks.collect_market_data(timezone.now())

    assert set(Ticker.objects.values_list("market", flat=True)) == {"KRW-BTC", "KRW-ETH"}


def test_one_market_s_trouble_costs_no_other_its_turn(exchange, settings):
    settings.GEMINI_URL = exchange.url
    configure(markets=["KRW-BTC", "KRW-ETH"], trading_markets=["KRW-BTC", "KRW-ETH"])
    tick = timezone.now()
    exchange.model.queue_decision("HOLD", times=2)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_signal ADD CHECK (market <> 'KRW-BTC')")

    with pytest.raises(IntegrityError):
        tasks.generate_trading_signal(tick)

    assert TradingSignal.objects.get().market == "KRW-ETH"


def test_a_threshold_changed_between_two_checks_is_used_by_the_second():
    remember(["100", "102"])
    configure(volatility_threshold_pct="3")
    assert tasks.check_volatility(timezone.now())["volatile"] == 0

    SystemConfig.objects.filter(key="volatility_threshold_pct").update(value="1.5")  # past every cache
    assert tasks.check_volatility(timezone.now())["volatile"] == 1

    assert Halt.objects.get().threshold_pct == Decimal("1.5")


def test_the_clean_up_deletes_what_is_past_its_retention_and_counts_each_table():
    configure(market_data_retention_days=2, job_history_retention_days=1)
    now = timezone.now()
    job = DjangoJob.objects.create(id="good", job_state=b"")
    for days in (0, 1.5, 2.5):
        then = now - timedelta(days=days)
        Ticker.objects.create(
            market="KRW-BTC", traded_at=then, price=1, first_seen_at=then, last_seen_at=then
        )
        Poll.objects.create(polled_at=then, markets=["KRW-BTC"])
        DjangoJobExecution.objects.create(job=job, run_time=then, status="Executed")

    assert tasks.cleanup_old_data(timezone.now()) == {
        "ticker": 1,
        "poll": 1,
        "account_reading": 0,
        "model_call_text": 0,
        "job_hour": 0,
        "job_event": 0,
        "job_execution": 2,
        "health_sample": 0,
        "health_hour": 0,
        "health_transition": 0,
    }
    assert (Ticker.objects.count(), Poll.objects.count(), DjangoJobExecution.objects.count()) == (2, 2, 1)


def test_a_clean_up_that_is_told_to_stop_leaves_the_rest_for_the_next():
    then = timezone.now() - timedelta(days=4000)
    Poll.objects.create(polled_at=then, markets=[])
    winding_down.set()

    assert tasks.cleanup_old_data(timezone.now())["poll"] == 0
    assert Poll.objects.exists()


def test_the_clean_up_knows_no_order():
    deleted = {"ticker", "poll", "account_reading", "model_call_text", "job_execution"}
    deleted |= {"job_hour", "job_event", "health_sample", "health_hour", "health_transition"}

    assert set(tasks.cleanup_old_data(timezone.now())) == deleted
    assert Order._meta.db_table not in deleted
