"""What the status page says of trading."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.conf import settings
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import override

from sysconfig.models import SystemConfig
from tests.browser import scenes
from tests.orders.trades import bought, sold
from tradingsite.jobs.models import JobState
from tradingsite.jobs.reporting import trading_panel
from tradingsite.jobs.run_result import RunResult
from tradingsite.korean_day import day_of
from tradingsite.orders import panel as orders
from tradingsite.orders.models import AccountReading, TradingDay
from tradingsite.risk.denial_reasons import DENIALS, denial
from tradingsite.strategy import panel as strategy
from tradingsite.strategy.hold_reasons import reason

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"
NOTHING = "\N{EN DASH}"


def shown(template: str, context) -> str:
    with override("en"):
        page = render_to_string(f"status/{template}.html", context)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def a_day():
    scenes.at_work()
    scenes.trading()


@pytest.mark.usefixtures("a_day")
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("tradingsite.jobs.reporting.trading_panel.trading", 14),
        ("tradingsite.orders.panel.chart", 3),
        ("tradingsite.orders.panel.orders", 2),
        ("tradingsite.strategy.panel.signals", 2),
        ("tradingsite.orders.panel.account", 4),
    ],
)
def test_a_panel_asks_few_questions_and_none_while_it_is_rendered(path, queries, django_assert_num_queries):
    """Settings are not counted: they come from the cache, but for a test's open transaction."""
    context, template = next(
        (entry["context"], entry["template"]) for entry in settings.STATUS_PANELS if entry["context"] == path
    )
    with CaptureQueriesContext(connection) as asked:
        found = import_string(context)()

    assert sum("system_config" not in query["sql"] for query in asked) == queries
    with django_assert_num_queries(0), override("ko"):
        assert render_to_string(template, found)


def test_the_state_comes_first():
    scenes.at_work()

    assert shown("trading", trading_panel.trading()).startswith("buying and selling")


def test_a_loss_limit_that_cannot_be_read_is_a_state_and_no_broken_panel():
    scenes.at_work()
    SystemConfig.objects.filter(key="daily_loss_limit_pct").update(value="much")

    assert shown("trading", trading_panel.trading()).startswith(
        "daily_loss_limit_pct cannot be read: nothing is bought"
    )


def test_a_volatility_check_that_stopped_succeeding_pauses_buys_in_words():
    scenes.at_work()
    JobState.objects.filter(job_name="check_volatility").update(
        last_success_at=timezone.now() - timedelta(seconds=200)
    )

    assert "new buys paused: check_volatility last succeeded 20" in shown("trading", trading_panel.trading())


def test_before_the_first_volatility_check_buys_are_paused():
    JobState.objects.register(["check_volatility"])
    JobState.objects.record(RunResult("check_volatility", None, 1, error="Unreachable: no answer"))

    assert "check_volatility has never succeeded" in shown("trading", trading_panel.trading())


def test_a_day_that_lost_too_much_pauses_buys_and_says_so_beside_the_limit():
    scenes.at_work()
    now = timezone.now()
    TradingDay.objects.create(
        day=day_of(now), base_equity=Decimal(1000), base_result=Decimal(0), based_at=now
    )
    bought(BTC, ("1000", "1"), at=now)
    sold(BTC, ("940", "1"), at=now)

    assert "new buys paused: the day's result is -60.00 KRW, limit -50.00 KRW" in shown(
        "trading", trading_panel.trading()
    )
    account = shown("account", orders.account())
    assert "Result today -60.00 -6.00 %" in account
    assert "The day's loss limit is reached: no new buys today." in account


def test_with_several_markets_each_has_its_own_state():
    scenes.at_work()
    scenes.halted()
    SystemConfig.objects.set_values(
        {"markets": (BTC, "KRW-ETH"), "trading_markets": (BTC, "KRW-ETH"), "trading_enabled": True}
    )

    assert "KRW-ETH: halted by operator: exchange maintenance at 3" in shown(
        "trading", trading_panel.trading()
    )


@pytest.mark.usefixtures("a_day")
def test_a_signal_stands_with_what_came_of_it():
    text = shown("signals", strategy.signals())

    assert "the model did not answer in time timeout" in text
    assert "denied by a limit : the exposure limit was reached" in text
    assert "the model's own advice" in text
    assert f"+0.31 % -1.20 % {NOTHING}" in text


def test_an_outcome_without_a_price_and_a_decision_without_an_order_are_told():
    scenes.unanswered()
    order = bought(BTC, ("100", "1"), at=timezone.now())
    order.signal.outcomes.create(after_min=30, measured_at=timezone.now())

    text = shown("signals", strategy.signals())

    assert "no order yet" in text
    assert f"no price {NOTHING} {NOTHING}" in text


@pytest.mark.usefixtures("a_day")
def test_open_orders_stand_before_those_that_have_ended():
    text = shown("orders", orders.orders())

    assert re.match(rf"Open .* open KRW-BTC buy signal 100,000 KRW {NOTHING} 0 s Ended recently", text)
    assert "KRW-BTC sell stop-loss 0.001 0.001 144,100 KRW 4 h" in text
    assert "denied" not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("UNKNOWN", "unknown KRW-BTC sell"),
        ("REJECTED", "rejected by the exchange KRW-BTC sell"),
        ("LOST", "never arrived KRW-BTC sell"),
        ("CANCELLED", "cancelled KRW-BTC sell"),
    ],
)
def test_every_state_has_its_words(state, words):
    sold(BTC, at=timezone.now(), state=state)

    assert words in shown("orders", orders.orders())


def test_more_open_orders_than_fit_lead_to_admin(monkeypatch):
    monkeypatch.setattr(orders, "OPEN_SHOWN", 1)
    for market in (BTC, "KRW-ETH"):
        sold(market, at=timezone.now(), state="OPEN")

    assert "More in admin" in shown("orders", orders.orders())


@pytest.mark.usefixtures("a_day")
def test_the_account_is_told_with_its_time_and_dust_is_marked():
    text = shown("account", orders.account())

    assert "Equity 10,104,884 KRW" in text
    assert "KRW free 9,575,204" in text
    assert re.search(r"Read at [-\d]+ [:\d]+ KST · ([-\d]+ )?[:\d]+ UTC , 31 s ago\.", text)


def test_an_account_that_nobody_can_value_says_so():
    AccountReading.objects.create(read_at=timezone.now(), krw_free=1, krw_locked=0)

    assert "A price was missing, so the equity is unknown." in shown("account", orders.account())


def test_while_a_held_coin_has_no_price_the_days_result_is_not_known():
    now = timezone.now()
    TradingDay.objects.create(day=day_of(now), base_equity=1, base_result=0, based_at=now)
    bought(BTC, ("100", "1"), at=now)

    assert f"Result today {NOTHING} Loss limit" in shown("account", orders.account())
    assert "no price is stored" in shown("account", orders.account())


def test_a_market_without_a_price_has_no_drawing():
    assert "No price has been collected in 24 h." in shown("chart", orders.chart())


@pytest.mark.usefixtures("a_day")
def test_the_drawing_has_a_name_for_those_who_do_not_see_it_and_a_table():
    with override("en"):
        page = render_to_string("status/chart.html", orders.chart())

    assert re.search(r'role="img"[^>]*aria-label="KRW-BTC: last price 143,210,000, ', page)
    assert page.count('data-mark="BUY"') == 4
    assert page.count('data-mark="bid"') == 2
    assert page.count('data-mark="ask"') == 1
    assert "<details>" in page


def test_every_reason_of_the_gate_has_words_and_an_unknown_one_stays_as_it_is():
    assert denial("of_tomorrow") == reason("of_tomorrow") == "of_tomorrow"
    with override("en"):
        assert denial("daily_loss") == "the daily loss limit was reached"
    assert "not_synced" in DENIALS
