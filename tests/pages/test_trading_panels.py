"""The trading panels of the status page."""

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
        ("tradingsite.jobs.reporting.trading_panel.trading", 13),
        ("tradingsite.orders.panel.chart", 3),
        ("tradingsite.orders.panel.orders", 2),
        ("tradingsite.strategy.panel.signals", 2),
        ("tradingsite.orders.panel.account", 4),
    ],
)
def test_panel_runs_few_queries_and_none_while_it_is_rendered(path, queries, django_assert_num_queries):
    """Queries for settings do not count: outside a test's open transaction the cache answers them."""
    context, template = next(
        (entry["context"], entry["template"]) for entry in settings.STATUS_PANELS if entry["context"] == path
    )
    with CaptureQueriesContext(connection) as captured:
        found = import_string(context)()

    assert sum("system_config" not in query["sql"] for query in captured) == queries
    with django_assert_num_queries(0), override("ko"):
        assert render_to_string(template, found)


def test_trading_panel_starts_with_the_state():
    scenes.at_work()

    assert shown("trading", trading_panel.trading()).startswith("buying and selling")


def test_trading_panel_reports_an_unreadable_loss_limit():
    scenes.at_work()
    SystemConfig.objects.filter(key="daily_loss_limit_pct").update(value="much")

    assert shown("trading", trading_panel.trading()).startswith(
        "daily_loss_limit_pct cannot be read: nothing is bought"
    )


def test_trading_panel_says_that_an_old_volatility_check_pauses_buys():
    scenes.at_work()
    JobState.objects.filter(job_name="check_volatility").update(
        last_success_at=timezone.now() - timedelta(seconds=200)
    )

    assert "new buys paused: check_volatility last succeeded 2" in shown("trading", trading_panel.trading())


def test_trading_panel_says_that_buys_wait_for_the_first_volatility_check():
    JobState.objects.register(["check_volatility"])
    JobState.objects.record(RunResult("check_volatility", None, 1, error="Unreachable: no answer"))

    assert "check_volatility has never succeeded" in shown("trading", trading_panel.trading())


def test_trading_panel_shows_the_day_s_loss_next_to_its_limit():
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


def test_trading_panel_shows_a_state_for_each_market():
    scenes.at_work()
    scenes.halted()
    SystemConfig.objects.set_values(
        {"markets": (BTC, "KRW-ETH"), "trading_markets": (BTC, "KRW-ETH"), "trading_enabled": True}
    )

    assert "KRW-ETH: halted by operator: exchange maintenance at 3" in shown(
        "trading", trading_panel.trading()
    )


@pytest.mark.usefixtures("a_day")
def test_signals_show_their_outcome():
    text = shown("signals", strategy.signals())

    assert "the model did not answer in time timeout" in text
    assert "denied by a limit : the exposure limit was reached" in text
    assert "the model's own advice" in text
    assert f"+0.31 % -1.20 % {NOTHING}" in text


def test_signals_show_a_missing_price_and_a_missing_order():
    scenes.decision_without_order()
    order = bought(BTC, ("100", "1"), at=timezone.now())
    order.signal.outcomes.create(after_min=30, measured_at=timezone.now())

    text = shown("signals", strategy.signals())

    assert "no order yet" in text
    assert f"no price {NOTHING} {NOTHING}" in text


@pytest.mark.usefixtures("a_day")
def test_open_orders_come_before_ended_ones():
    text = shown("orders", orders.orders())

    assert re.match(rf"Open .* open KRW-BTC buy signal 100,000 KRW {NOTHING} \d+ s Ended recently", text)
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
def test_every_order_state_has_words(state, words):
    sold(BTC, at=timezone.now(), state=state)

    assert words in shown("orders", orders.orders())


def test_orders_link_to_admin_when_more_are_open_than_shown(monkeypatch):
    monkeypatch.setattr(orders, "OPEN_SHOWN", 1)
    for market in (BTC, "KRW-ETH"):
        sold(market, at=timezone.now(), state="OPEN")

    assert "More in admin" in shown("orders", orders.orders())


@pytest.mark.usefixtures("a_day")
def test_account_shows_equity_and_when_it_was_read():
    text = shown("account", orders.account())

    assert "Equity 10,104,884 KRW" in text
    assert "KRW free 9,575,204" in text
    assert re.search(r"Read at [-\d]+ [:\d]+ KST · ([-\d]+ )?[:\d]+ UTC , \d+ s ago\.", text)


def test_account_says_that_its_equity_is_not_known():
    AccountReading.objects.create(read_at=timezone.now(), krw_free=1, krw_locked=0)

    assert "A price was missing, so the equity is unknown." in shown("account", orders.account())


def test_day_result_is_unknown_while_a_coin_has_no_price():
    now = timezone.now()
    TradingDay.objects.create(day=day_of(now), base_equity=1, base_result=0, based_at=now)
    bought(BTC, ("100", "1"), at=now)

    assert f"Result today {NOTHING} Loss limit" in shown("account", orders.account())
    assert "no price is stored" in shown("account", orders.account())


def test_market_without_a_price_has_no_drawing():
    assert "No price has been collected in 24 h." in shown("chart", orders.chart())


@pytest.mark.usefixtures("a_day")
def test_drawing_has_a_label_and_a_table():
    with override("en"):
        page = render_to_string("status/chart.html", orders.chart())

    assert re.search(r'role="img"[^>]*aria-label="KRW-BTC: last price 143,210,000, ', page)
    assert page.count('data-mark="BUY"') == 4
    assert page.count('data-mark="bid"') == 2
    assert page.count('data-mark="ask"') == 1
    assert "<details>" in page


def test_denial_reasons_have_words_and_an_unknown_one_is_shown_as_it_is():
    assert denial("of_tomorrow") == reason("of_tomorrow") == "of_tomorrow"
    with override("en"):
        assert denial("daily_loss") == "the daily loss limit was reached"
    assert "not_synced" in DENIALS
