"""Signals and calls in admin: readable, not changeable."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.strategy.market import MARKET, TICK
from tradingsite.orders.models import Order
from tradingsite.strategy.models import ModelCall, SignalOutcome, TradingSignal

pytestmark = pytest.mark.django_db


def call(**facts) -> ModelCall:
    values = {
        "market": MARKET,
        "tick": TICK,
        "started_at": timezone.now(),
        "model_asked": "gemini-3.5-flash-lite",
        "model_answered": "gemini-3.5-flash-lite",
        "prompt": '{"price_krw": 4711}',
        "response": "the whole answer",
        "prompt_tokens": 3001,
        "output_tokens": 201,
        "thinking_tokens": 301,
        "cost_usd": Decimal("0.00215"),
        "latency_ms": 812.5,
    }
    return ModelCall.objects.create(**{**values, **facts})


@pytest.fixture
def signal():
    made = TradingSignal.objects.create(
        market=MARKET,
        tick=TICK,
        as_of=TICK,
        price=1000,
        decision="BUY",
        confidence=Decimal("0.7"),
        reasoning="RSI is low.",
        call=call(),
        inputs={"price_krw": 4711},
        ungrounded=["777"],
    )
    for after_min, price, move in ((30, 1012, "1.2345"), (240, None, None)):
        SignalOutcome.objects.create(
            signal=made, after_min=after_min, price=price, move_pct=move, measured_at=TICK
        )
    return made


def page(client, name, *args) -> str:
    answer = client.get(reverse(f"admin:strategy_{name}", args=args))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_signal_list_shows_outcomes_and_orders(admin_client, signal):
    order = Order.objects.create(
        signal=signal,
        identifier="x-1",
        market=MARKET,
        side="bid",
        ord_type="price",
        funds=5000,
    )

    text = page(admin_client, "tradingsignal_changelist")

    assert "+1.23 %" in text
    assert '<td class="field-after_four_hours">?</td>' in text
    assert '<td class="field-after_day">' in text
    assert f'<a href="{reverse("admin:orders_order_change", args=[order.pk])}">planned</a>' in text


def test_query_count_of_the_signal_list_is_constant(admin_client, signal, django_assert_max_num_queries):
    for number in range(1, 20):
        TradingSignal.objects.create(
            market=MARKET, tick=TICK + timedelta(minutes=number), as_of=TICK, decision="HOLD"
        )

    with django_assert_max_num_queries(10):
        page(admin_client, "tradingsignal_changelist")


def test_signal_page_has_inputs_prompt_answer_and_outcomes(admin_client, signal):
    text = page(admin_client, "tradingsignal_change", signal.pk)

    assert "{&quot;price_krw&quot;: 4711}" in text
    assert "the whole answer" in text
    assert "777" in text
    assert "1.2345" in text
    assert reverse("admin:strategy_modelcall_change", args=[signal.call.pk]) in text
    assert 'type="text"' not in text


def test_signal_without_a_model_call_has_a_page(admin_client):
    hold = TradingSignal.objects.create(
        market=MARKET, tick=TICK, as_of=TICK, decision="HOLD", reason_code="stale_input"
    )

    assert "stale_input" in page(admin_client, "tradingsignal_change", hold.pk)


def test_call_list_has_costs_and_the_days_total(admin_client, signal):
    call(error_kind="quota", cost_usd=None)
    call(started_at=timezone.now() - timedelta(days=2))

    text = page(admin_client, "modelcall_changelist")

    assert "today in Korea: 2 calls, 1 failed, 0.0022 USD" in text
    assert all(shown in text for shown in ("3001", "201", "301", "0.002150000", "812.5"))


def test_calls_are_read_only_in_admin(admin_client, signal):
    change = reverse("admin:strategy_modelcall_change", args=[signal.call.pk])

    assert "the whole answer" in page(admin_client, "modelcall_change", signal.call.pk)
    assert admin_client.post(change, {"prompt": "x"}).status_code == 403
    assert admin_client.get(reverse("admin:strategy_modelcall_add")).status_code == 403
    assert (
        admin_client.post(reverse("admin:strategy_modelcall_delete", args=[signal.call.pk])).status_code
        == 403
    )
