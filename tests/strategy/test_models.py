"""Signals: constraints of the table, and read-only admin pages."""

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


def test_newest_signal_is_the_last_created():
    assert TradingSignal.objects.newest() is None
    made(created_at=NOON)
    late = made(market="KRW-ETH", tick=NOON - timedelta(days=1), created_at=NOON + timedelta(seconds=1))

    assert TradingSignal.objects.newest() == late
    assert str(late) == "KRW-ETH BUY 2026-01-04 12:00"


def test_hold_signal_needs_no_confidence_and_no_price():
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
def test_database_refuses_an_invalid_signal(facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        made(**facts)


def test_market_has_one_signal_a_tick():
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
def test_database_refuses_an_invalid_outcome(facts):
    signal = made()
    SignalOutcome.objects.create(signal=signal, after_min=240, measured_at=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():
        SignalOutcome.objects.create(**{"signal": signal, "after_min": 30, "measured_at": NOON, **facts})
    assert str(signal.outcomes.get()) == f"{signal} +240 min"


def test_call_has_at_most_one_signal_and_is_protected_by_it():
    call = ModelCall.objects.create(market="KRW-BTC", tick=NOON, started_at=NOON, model_asked="x")
    made(call=call)

    with pytest.raises(IntegrityError), transaction.atomic():
        made(market="KRW-ETH", call=call)
    with pytest.raises(ProtectedError):
        call.delete()


def test_database_refuses_a_call_that_ends_before_its_start():
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelCall.objects.create(
            market="KRW-BTC",
            tick=NOON,
            started_at=NOON,
            ended_at=NOON - timedelta(seconds=1),
            model_asked="x",
        )


def test_signals_are_read_only_in_admin(admin_client):
    signal = made()
    change = reverse("admin:strategy_tradingsignal_change", args=[signal.pk])

    assert "KRW-BTC" in admin_client.get(reverse("admin:strategy_tradingsignal_changelist")).content.decode()
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"decision": "SELL"}).status_code == 403
    assert admin_client.get(reverse("admin:strategy_tradingsignal_add")).status_code == 403
    assert (
        admin_client.post(reverse("admin:strategy_tradingsignal_delete", args=[signal.pk])).status_code == 403
    )
