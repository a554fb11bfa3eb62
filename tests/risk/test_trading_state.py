"""The trading state and its text."""

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


def state_of(market: str = "", **options) -> tuple[str, str]:
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


def test_state_is_active_by_default():
    assert state_of() == ("active", "buying and selling")


def test_volatility_halt_reduces_with_its_end():
    volatile()

    assert state_of() == (
        "reducing",
        "new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes",
    )


def test_unknown_market_reduces():
    Halt.objects.create(
        kind="unknown", market=BTC, reason="-", started_at=NOON, made_by="x", polls=3, seen_age_s=9
    )

    assert state_of() == ("reducing", "new buys paused: KRW-BTC: 3 of 30 polls in 5 min, 24 needed")


def test_operator_halt_takes_precedence_with_name_and_reason():
    volatile()
    halts.halt_now("exchange maintenance", "alice")

    assert state_of() == ("halted", "halted by alice: exchange maintenance")


def test_disabled_trading_is_halted():
    SystemConfig.objects.set_value("trading_enabled", False)

    assert state_of() == ("halted", "trading_enabled is off")


@pytest.mark.parametrize(
    "key",
    ["trading_enabled", "trading_markets", "volatility_cooldown_min", "stop_loss_pct", "signal_validity_min"],
)
def test_unreadable_setting_is_halted_and_named(key):
    SystemConfig.objects.filter(key=key).update(value="perhaps not")

    assert state_of() == ("halted", f"{key} cannot be read: nothing is bought")


def test_ended_halt_does_not_count():
    halts.end(halts.halt_now("lunch", "alice"), "bob")

    assert state_of()[0] == "active"


@pytest.mark.usefixtures("two_markets")
def test_halt_of_one_market_does_not_affect_another():
    volatile(ETH)

    assert state_of(BTC) == ("active", "buying and selling")
    assert state_of(ETH)[0] == "reducing"
    assert state_of()[1].startswith("new buys paused: KRW-ETH moved")


def test_halt_of_a_market_not_traded_does_not_count():
    volatile(ETH)

    assert state_of()[0] == "active"


@pytest.mark.usefixtures("two_markets")
def test_states_of_all_markets_take_one_query():
    halts.halt_now("lunch", "alice")

    with CaptureQueriesContext(connection) as queries:
        found = states()

    assert sum("system_config" not in query["sql"] for query in queries) == 1
    assert list(found) == ["", BTC, ETH]
    assert {state.name for state in found.values()} == {"halted"}


def test_other_findings_reduce():
    assert state_of(others=[Finding("warning", "check_volatility has never succeeded")]) == (
        "reducing",
        "new buys paused: check_volatility has never succeeded",
    )


def test_state_text_is_in_the_readers_language():
    state = TradingState(halted=(Finding("warning", "trading_enabled is off"),))

    with translation.override("ko"):
        assert state.text == translation.gettext("trading_enabled is off")
