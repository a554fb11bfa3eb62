"""The trading state in words."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from healthcheck.report import Finding
from sysconfig.models import SystemConfig
from tests.marketdata.feed import NOON
from tradingsite.risk import halts
from tradingsite.risk.models import Halt
from tradingsite.risk.trading_state import TradingState, states

pytestmark = pytest.mark.django_db

BTC, ETH = "KRW-BTC", "KRW-ETH"


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def two_markets():
    SystemConfig.objects.set_values({"markets": (BTC, ETH), "trading_markets": (BTC, ETH)})


def state_text(market: str = "", **options) -> tuple[str, str]:
    state = states(**options)[market]
    return state.name, state.text


def volatile(market: str = BTC) -> Halt:
    return Halt.objects.create(
        kind="volatility",
        market=market,
        reason="-",
        started_at=NOON,
        until=NOON + timedelta(minutes=15),
        made_by="check_volatility",
        move_pct=Decimal("3.4000"),
        threshold_pct=Decimal("3.0000"),
    )


def test_with_nothing_against_it_the_trader_buys_and_sells():
    assert state_text() == ("active", "buying and selling")


def test_a_moving_market_pauses_new_buys_and_says_when_they_resume():
    volatile()

    assert state_text() == (
        "reducing",
        "new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes",
    )


def test_a_market_that_is_not_known_pauses_new_buys():
    Halt.objects.create(
        kind="unknown", market=BTC, reason="-", started_at=NOON, made_by="x", polls=3, seen_age_s=9
    )

    assert state_text() == ("reducing", "new buys paused: KRW-BTC: 3 of 30 polls in 5 min, 24 needed")


def test_an_operators_halt_says_whose_it_is_and_why_before_all_else():
    volatile()
    halts.halt_now("exchange maintenance", "alice")

    assert state_text() == ("halted", "halted by alice: exchange maintenance")


def test_the_switch_that_is_off_is_named():
    SystemConfig.objects.set_value("trading_enabled", False)

    assert state_text() == ("halted", "trading_enabled is off")


@pytest.mark.parametrize(
    "key",
    ["trading_enabled", "trading_markets", "volatility_cooldown_min", "stop_loss_pct", "signal_validity_min"],
)
def test_a_setting_that_cannot_be_read_stops_buying_and_is_named(key):
    SystemConfig.objects.filter(key=key).update(value="perhaps not")

    assert state_text() == ("halted", f"{key} cannot be read: nothing is bought")


def test_a_halt_that_has_ended_stops_nothing():
    halts.end(halts.halt_now("lunch", "alice"), "bob")

    assert state_text()[0] == "active"


@pytest.mark.usefixtures("two_markets")
def test_one_markets_halt_leaves_the_other_alone():
    volatile(ETH)

    assert state_text(BTC) == ("active", "buying and selling")
    assert state_text(ETH)[0] == "reducing"
    assert state_text()[1].startswith("new buys paused: KRW-ETH moved")


def test_a_market_that_is_only_watched_does_not_count():
    volatile(ETH)

    assert state_text()[0] == "active"


@pytest.mark.usefixtures("two_markets")
def test_every_market_is_judged_from_one_look():
    halts.halt_now("lunch", "alice")

    with CaptureQueriesContext(connection) as asked:
        found = states()

    assert sum("system_config" not in query["sql"] for query in asked) == 1
    assert list(found) == ["", BTC, ETH]
    assert {state.name for state in found.values()} == {"halted"}


def test_what_else_stops_buys_is_said_too():
    assert state_text(others=[Finding("warning", "check_volatility has never succeeded")]) == (
        "reducing",
        "new buys paused: check_volatility has never succeeded",
    )


def test_words_are_those_of_the_reader_not_of_the_thread_that_looked():
    state = TradingState(halted=(Finding("warning", "trading_enabled is off"),))

    with translation.override("ko"):
        assert state.text == translation.gettext("trading_enabled is off")
