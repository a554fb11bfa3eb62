"""Signals: what the table refuses, and that people only read them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from tests.marketdata.feed import NOON
from tradingsite.strategy.models import ModelCall, SignalOutcome, TradingSignal

pytestmark = pytest.mark.django_db


def made(**facts) -> TradingSignal:
    values = {
        "market": "KRW-BTC",
        "tick": NOON,
        "as_of": NOON,
        "decision": "BUY",
        "confidence": Decimal("0.7"),
        "price": Decimal(100),
    }
    return TradingSignal.objects.create(**{**values, **facts})


def test_the_newest_signal_is_the_one_made_last():
    assert TradingSignal.objects.newest() is None
    made(created_at=NOON)
    late = made(market="KRW-ETH", tick=NOON - timedelta(days=1), created_at=NOON + timedelta(seconds=1))

    assert TradingSignal.objects.newest() == late
    assert str(late) == "KRW-ETH BUY 2026-01-04 12:00"


def test_a_failure_of_the_model_is_a_hold_without_confidence_or_price():
    signal = made(decision="HOLD", confidence=None, price=None, reason_code="stale_input")

    signal.refresh_from_db()
    assert signal.created_at is not None


@pytest.mark.parametrize(
    "facts",
    [
        {"decision": "WAIT"},
        {"confidence": Decimal("1.0001")},
        {"confidence": Decimal("-0.1")},
        {"confidence": None},
        {"price": None},
        {"price": 0},
        {"reason_code": "stale_input"},
    ],
    ids=str,
)
def test_the_table_refuses_a_signal_that_must_not_be_traded(facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        made(**facts)


def test_a_market_has_one_signal_a_tick():
    made()
    made(market="KRW-ETH")

    with pytest.raises(IntegrityError), transaction.atomic():
        made(decision="SELL")


@pytest.mark.parametrize(
    "facts",
    [
        {"after_min": 31},
        {"price": 0, "move_pct": 0},
        {"price": 100},
        {"move_pct": 1},
        {"after_min": 240, "price": 100, "move_pct": 0},
    ],
    ids=["span", "price", "no move", "no price", "twice"],
)
def test_an_outcome_is_of_one_span_and_whole_or_unknown(facts):
    signal = made()
    SignalOutcome.objects.create(signal=signal, after_min=240, measured_at=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():
        SignalOutcome.objects.create(**{"signal": signal, "after_min": 30, "measured_at": NOON, **facts})
    assert str(signal.outcomes.get()) == f"{signal} +240 min"


def test_a_call_makes_at_most_one_signal_and_stays_as_long_as_it():
    call = ModelCall.objects.create(market="KRW-BTC", tick=NOON, started_at=NOON, model_asked="x")
    made(call=call)

    with pytest.raises(IntegrityError), transaction.atomic():
        made(market="KRW-ETH", call=call)
    with pytest.raises(ProtectedError):
        call.delete()


def test_a_call_does_not_end_before_it_began():
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelCall.objects.create(
            market="KRW-BTC",
            tick=NOON,
            started_at=NOON,
            ended_at=NOON - timedelta(seconds=1),
            model_asked="x",
        )


def test_signals_are_read_in_admin_and_never_written(admin_client):
    signal = made()
    change = reverse("admin:strategy_tradingsignal_change", args=[signal.pk])

    assert "KRW-BTC" in admin_client.get(reverse("admin:strategy_tradingsignal_changelist")).content.decode()
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"decision": "SELL"}).status_code == 403
    assert admin_client.get(reverse("admin:strategy_tradingsignal_add")).status_code == 403
    assert (
        admin_client.post(reverse("admin:strategy_tradingsignal_delete", args=[signal.pk])).status_code == 403
    )
