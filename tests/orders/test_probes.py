"""Health of orders: recent, old, unknown, lost, missing and external ones."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from tests.marketdata.feed import NOON
from tests.orders.trades import bought, sold
from tradingsite.orders.models import Order, SyncRound
from tradingsite.orders.probes import recent_order
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db


def order(state: str, minutes: float) -> Order:
    made = sold(f"KRW-{Order.objects.count()}", at=NOON, state=state)
    Order.objects.filter(pk=made.pk).update(created_at=Now() - timedelta(minutes=minutes))
    return made


def decided(decision: str, minutes: float) -> TradingSignal:
    tick = timezone.now() - timedelta(minutes=minutes)
    facts = {"tick": tick, "as_of": tick, "created_at": tick, "price": 100, "confidence": 1}
    return TradingSignal.objects.create(market="KRW-BTC", decision=decision, **facts)


def found() -> tuple[str, str]:
    finding = recent_order()
    return finding.status, finding.english


def test_no_order_before_the_first_decision_is_healthy():
    assert found() == ("healthy", "no order yet")


def test_only_hold_decisions_are_healthy():
    decided("HOLD", 31)
    decided("HOLD", 1)

    assert found() == ("healthy", "no order, because every decision in 24 h was HOLD")


@pytest.mark.parametrize("state", ["DENIED", "DONE", "CANCELLED", "REJECTED"])
def test_no_active_order_is_healthy(state):
    order(state, 600)

    assert found() == ("healthy", "no active order")


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"])
def test_young_active_orders_are_healthy_and_counted(state):
    order(state, 14.5)
    order("OPEN", 1)

    assert found() == ("healthy", "active orders: 2, none older than 15 min")


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL"])
def test_active_order_older_than_15_minutes_is_a_warning(state):
    order(state, 600)
    order("UNKNOWN", 19.5)
    order("OPEN", 1)

    assert found() == ("warning", "active orders older than 15 min: 2 of 3")


def test_order_unknown_for_over_20_minutes_is_unhealthy():
    order("UNKNOWN", 20.1)
    order("LOST", 600)

    assert found() == ("unhealthy", "orders unknown for over 20 min: 1; look them up at Upbit")


def test_lost_order_warns_until_it_is_acknowledged():
    lost = order("LOST", 600)
    assert found() == ("warning", "orders that never arrived: 1; acknowledge them in admin")

    Order.objects.filter(pk=lost.pk).update(acknowledged_at=Now(), acknowledged_by="kim")

    assert found() == ("healthy", "no active order")


@pytest.mark.parametrize("decision", ["BUY", "SELL"])
def test_decision_without_an_order_or_a_reason_is_a_warning(decision):
    decided(decision, 1.5)
    assert found() == ("healthy", "no order yet")

    decided(decision, 2.1)

    assert found() == ("warning", "decisions to buy or sell without an order and without a reason: 1")


def test_denied_and_day_old_decisions_are_healthy():
    decided("BUY", 24 * 60 + 1)
    bought("KRW-BTC", at=NOON, state="DENIED", signal=decided("BUY", 30), reason="low_confidence")

    assert found() == ("healthy", "no active order")


def test_external_activity_of_the_last_hour_is_a_warning():
    activity = [{"text": "the KRW balance moved by +5 without our orders"}, {"text": "more"}]
    now = timezone.now()
    for minutes in (55, 5):
        SyncRound.objects.create(at=now - timedelta(minutes=minutes), strangers=activity)
    SyncRound.objects.create(at=now)
    assert found() == (
        "warning",
        "not caused by the trader: 2, first: more",
    )

    SyncRound.objects.update(at=F("at") - timedelta(minutes=56))

    assert found()[0] == "healthy"


def test_probe_runs_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        recent_order()
