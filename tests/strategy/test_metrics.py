"""Metrics of decisions: number by reason, time of the newest, cost of the model."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from tests.strategy.market import MARKET, TICK
from tradingsite.strategy.metrics import families
from tradingsite.strategy.models import ModelCall, TradingSignal

pytestmark = pytest.mark.django_db


def scraped():
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families()
        for sample in family.samples
    }


def signal(number, **facts):
    values = {"market": MARKET, "tick": TICK + timedelta(minutes=number), "as_of": TICK, "decision": "HOLD"}
    return TradingSignal.objects.create(**{**values, **facts})


def call(**facts):
    row = ModelCall.objects.create(market=MARKET, tick=TICK, started_at=TICK, model_asked="m", **facts)
    ModelCall.objects.filter(pk=row.pk).update(started_at=Now() - timedelta(hours=1))


def test_metrics_count_decisions_of_the_last_day_by_reason():
    signal(1)
    signal(2, reason_code="budget")
    signal(3, reason_code="budget")
    newest = signal(4, decision="BUY", confidence=1, price=100)
    old = signal(5)
    TradingSignal.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(hours=25))

    found = scraped()

    assert {key: count for key, count in found.items() if key[0] == "signals_last_day"} == {
        ("signals_last_day", "BUY", ""): 1,
        ("signals_last_day", "HOLD", ""): 1,
        ("signals_last_day", "HOLD", "budget"): 2,
    }
    assert found["signal_last_timestamp_seconds",] == newest.created_at.timestamp()


def test_metrics_have_model_calls_and_their_cost(django_assert_num_queries):
    call(cost_usd=Decimal("0.002"))
    call(cost_usd=Decimal("0.003"))
    call(error_kind="quota")

    with django_assert_num_queries(3):
        found = scraped()

    assert found["model_calls_last_day", "ok"] == 2
    assert found["model_calls_last_day", "quota"] == 1
    assert found["model_cost_usd_last_day",] == pytest.approx(0.005)


def test_metrics_before_the_first_decision_have_only_the_cost():
    assert scraped() == {("model_cost_usd_last_day",): 0}
