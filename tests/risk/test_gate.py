"""Every check of the gate: alone, at its boundary, in its order (docs/risk.md V10 to V15)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tests.marketdata.feed import NOON
from tests.risk.decisions import BUY, SECOND, SELL, TICK, failed, text_of
from tradingsite.risk import gate
from tradingsite.risk.denial_reasons import DENIALS, denial
from tradingsite.risk.inputs import BuyLimits, Position, SignalLimits

TOLERANCE = 10 * SECOND
OF_A_BUY = [
    "trading_disabled",
    "halted",
    "not_synced",
    "volatility_unchecked",
    "price_stale",
    "signal_expired",
    "price_moved",
    "low_confidence",
    "order_unresolved",
    "market_offline",
    "daily_loss",
    "exposure_full",
    "no_size",
    "no_free_balance",
    "too_small_to_sell",
]
OF_A_SELL = [
    "signal_expired",
    "low_confidence",
    "order_unresolved",
    "market_offline",
    "nothing_to_sell",
    "dust",
]
FAILING: dict[str, dict[str, Any]] = {
    "trading_disabled": {"trading_enabled": False},
    "halted": {"halts": ("lunch", "moved 4 % in 5 min, limit 3 %")},
    "not_synced": {"synced": False},
    "volatility_unchecked": {"volatility_checked_at": None},
    "price_stale": {"price_seen_at": None},
    "signal_expired": {"as_of": NOON - timedelta(hours=1)},
    "price_moved": {"price": Decimal(150)},
    "low_confidence": {"confidence": Decimal("0.1")},
    "order_unresolved": {"unresolved": 1},
    "market_offline": {"active": False},
    "daily_loss": {"day_result": Decimal(-900_000)},
    "exposure_full": {"exposure": Decimal(9_000_000)},
    "no_size": {"position_size_min_pct": Decimal(0), "position_size_max_pct": Decimal(0)},
    "no_free_balance": {"krw_free": Decimal(-1)},
    "too_small_to_sell": {"max_total": Decimal(5000)},
}
STOPS_ONLY_BUYS = set(OF_A_BUY) - set(OF_A_SELL)


def test_unobstructed_buy_is_allowed_after_every_check_in_order():
    verdict = BUY.verdict

    assert (verdict.allowed, verdict.reason, verdict.text, failed(verdict)) == (True, "", "", [])
    assert [check.name for check in verdict.checks] == OF_A_BUY
    assert (verdict.volume, verdict.clamps) == (None, ())
    assert verdict.funds == 200_000


def test_sell_is_of_the_whole_position_and_runs_only_its_own_checks():
    verdict = SELL.verdict

    assert (verdict.allowed, verdict.reason, failed(verdict)) == (True, "", [])
    assert [check.name for check in verdict.checks] == OF_A_SELL
    assert (verdict.funds, verdict.clamps) == (None, ())
    assert verdict.volume == 200


@pytest.mark.parametrize("name", OF_A_BUY)
def test_each_check_alone_denies_a_buy_with_its_name_and_text(name):
    verdict = BUY.but(**FAILING[name]).verdict

    assert (verdict.allowed, verdict.reason, verdict.text) == (False, name, text_of(verdict, name))
    assert verdict.text
    assert set(failed(verdict)) <= {name, "too_small_to_sell"}  # what is not bought at all is too small
    assert [check.name for check in verdict.checks] == OF_A_BUY


@pytest.mark.parametrize("first", range(len(OF_A_BUY)))
def test_first_failed_check_is_the_reason_and_all_are_recorded(first):
    decision = BUY
    for name in OF_A_BUY[first:]:
        decision = decision.but(**FAILING[name])

    verdict = decision.verdict

    assert verdict.reason == OF_A_BUY[first]
    assert failed(verdict) == OF_A_BUY[first:]


@pytest.mark.parametrize("name", sorted(STOPS_ONLY_BUYS))
def test_check_for_buys_does_not_deny_a_sell(name):
    assert SELL.but(**FAILING[name]).verdict.allowed


def test_all_checks_for_buys_together_do_not_deny_a_sell():
    decision = SELL
    for name in sorted(STOPS_ONLY_BUYS):
        decision = decision.but(**FAILING[name])

    assert decision.verdict.allowed
    assert decision.verdict.volume == 200


@pytest.mark.parametrize("name", ["signal_expired", "low_confidence", "order_unresolved", "market_offline"])
def test_each_check_of_signal_and_market_alone_denies_a_sell(name):
    verdict = SELL.but(**FAILING[name]).verdict

    assert (verdict.reason, failed(verdict)) == (name, [name])


def test_sell_without_a_position_is_denied():
    verdict = SELL.but(volume=Decimal(0)).verdict

    assert (verdict.reason, verdict.text) == ("nothing_to_sell", "our position is 0")
    assert SELL.but(volume=Decimal("0.000000009")).verdict.reason == "nothing_to_sell"


def test_position_below_the_minimum_total_is_dust():
    at_least = SELL.but(volume=Decimal(25), price=Decimal(200))

    assert at_least.verdict.allowed
    denied = at_least.but(volume=Decimal("24.99999999")).verdict
    assert denied.reason == "dust"
    assert denied.text == "worth 4999.999998 KRW, the exchange takes 5000 KRW or more"


def test_dust_is_judged_by_the_signals_price_without_another():
    assert SELL.but(price=None, volume=Decimal(50)).verdict.allowed
    assert SELL.but(price=None, volume=Decimal(49)).verdict.reason == "dust"


@pytest.mark.parametrize(
    ("fact", "edge", "name"),
    [
        ("volatility_checked_at", 90 * SECOND, "volatility_unchecked"),
        ("price_seen_at", 30 * SECOND, "price_stale"),
        ("as_of", timedelta(minutes=10), "signal_expired"),
    ],
)
def test_input_at_its_age_limit_counts_and_an_older_one_does_not(fact, edge, name):
    assert BUY.but(**{fact: NOON - edge}).verdict.allowed

    verdict = BUY.but(**{fact: NOON - edge - TICK}).verdict

    assert verdict.reason == name
    limit = round(edge.total_seconds())
    assert verdict.text.endswith(f"{limit + 1} s ago, limit {limit} s")


@pytest.mark.parametrize(
    ("fact", "name"), [("volatility_checked_at", "volatility_unchecked"), ("price_seen_at", "price_stale")]
)
def test_input_up_to_10_seconds_in_the_future_counts(fact, name):
    assert BUY.but(**{fact: NOON + TOLERANCE}).verdict.allowed

    verdict = BUY.but(**{fact: NOON + TOLERANCE + TICK}).verdict

    assert verdict.reason == name
    assert "11 s in the future" in verdict.text


@pytest.mark.parametrize("decision", [BUY, SELL], ids=["buy", "sell"])
def test_signal_of_the_future_is_denied(decision):
    assert decision.but(as_of=NOON).verdict.allowed

    verdict = decision.but(as_of=NOON + TICK).verdict

    assert verdict.reason == "signal_expired"
    assert "1 s in the future" in verdict.text


def test_unknown_price_is_stale():
    verdict = BUY.but(price=None).verdict

    assert verdict.reason == "price_stale"
    assert failed(verdict) == ["price_stale", "price_moved"]


@pytest.mark.parametrize("fact", ["price", "signal_price"])
def test_price_of_zero_is_denied(fact):
    assert "price_moved" in failed(BUY.but(**{fact: Decimal(0)}).verdict)


@pytest.mark.parametrize(("still", "void"), [("100.999999", "101"), ("99.000001", "99")])
def test_price_move_up_to_the_limit_denies_a_buy(still, void):
    assert BUY.but(price=Decimal(still)).verdict.allowed

    verdict = BUY.but(price=Decimal(void)).verdict

    assert verdict.reason == "price_moved"
    assert verdict.text == "the price moved 1 % since the signal, limit 1 %"


@pytest.mark.parametrize("decision", [BUY, SELL], ids=["buy", "sell"])
def test_confidence_must_be_between_the_minimum_and_one(decision):
    assert decision.but(confidence=Decimal("0.6")).verdict.allowed
    assert decision.but(confidence=Decimal(1)).verdict.allowed

    for confidence in (Decimal("0.5999"), Decimal("1.0001"), Decimal(72)):
        assert decision.but(confidence=confidence).verdict.reason == "low_confidence"
    less = decision.but(confidence=Decimal("0.5999")).verdict
    assert less.text == "confidence 0.5999, at least 0.6 is needed"


def test_daily_loss_at_the_limit_denies_a_buy():
    assert BUY.but(day_result=Decimal("-499999.99")).verdict.allowed

    verdict = BUY.but(day_result=Decimal(-500_000)).verdict

    assert verdict.reason == "daily_loss"
    assert verdict.text == "the day's result is -500000 KRW, limit -500000 KRW"


@pytest.mark.parametrize("unknown", [{"day_base": None}, {"day_result": None}, {"day_base": Decimal(0)}])
def test_unknown_day_base_or_result_denies_a_buy(unknown):
    verdict = BUY.but(**unknown).verdict

    assert (verdict.reason, verdict.text) == ("daily_loss", "the equity at the start of the day is not known")


def test_all_halts_are_in_the_text():
    halts = ("exchange maintenance", "moved 3.4 % in 5 min, limit 3 %")

    assert BUY.but(halts=halts).verdict.text == "exchange maintenance; moved 3.4 % in 5 min, limit 3 %"


def test_verdict_is_serialized_as_plain_json():
    verdict = BUY.but(krw_free=Decimal(100_050)).verdict

    assert verdict.checks_as_json()[0] == {
        "name": "trading_disabled",
        "passed": True,
        "text": "trading_enabled is on",
    }
    assert verdict.clamps_as_json() == [{"limit": "free_balance", "before": "200000", "after": "100000"}]


def test_every_denial_reason_has_a_translated_text():
    assert set(OF_A_BUY) | set(OF_A_SELL) <= set(DENIALS)
    with override("en"):
        assert denial("dust") == "too little to be sold"
        assert denial("a_later_code") == "a_later_code"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "key",
    [
        "ai_min_confidence",
        "signal_validity_min",
        "max_price_move_pct",
        "daily_loss_limit_pct",
        "max_exposure_pct",
        "position_size_min_pct",
        "position_size_max_pct",
        "stop_loss_pct",
    ],
)
def test_unreadable_buy_limit_raises(key):
    SystemConfig.objects.filter(key=key).update(value="much")

    with pytest.raises(UnreadableConfig):
        BuyLimits.from_config(SystemConfig.objects.snapshot())


@pytest.mark.django_db
def test_sell_needs_only_its_two_limits_to_be_readable():
    keys = ["max_exposure_pct", "stop_loss_pct", "daily_loss_limit_pct", "max_price_move_pct"]
    SystemConfig.objects.filter(key__in=keys).update(value="much")
    limits = SignalLimits.for_sells(SystemConfig.objects.snapshot())

    verdict = gate.evaluate(**{**vars(SELL), "limits": limits})

    assert verdict.allowed
    with pytest.raises(TypeError, match="all limits"):
        gate.evaluate(**{**vars(BUY), "limits": limits})


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["ai_min_confidence", "signal_validity_min"])
def test_unreadable_signal_limit_raises(key):
    SystemConfig.objects.filter(key=key).update(value="much")

    with pytest.raises(UnreadableConfig):
        SignalLimits.for_sells(SystemConfig.objects.snapshot())


def test_average_price_is_cost_by_volume_or_none():
    assert Position("KRW-BTC", Decimal(4), Decimal(10)).average_price == Decimal("2.5")
    assert Position("KRW-BTC", Decimal(0), Decimal(0)).average_price is None


@pytest.mark.django_db
def test_buy_limits_come_from_the_configuration():
    SystemConfig.objects.set_values({"signal_validity_min": "7", "stop_loss_pct": "2.5"})

    limits = BuyLimits.from_config(SystemConfig.objects.snapshot())

    assert limits == replace(BUY.limits, signal_validity=timedelta(minutes=7), stop_loss_pct=Decimal("2.5"))
