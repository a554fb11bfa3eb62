"""A decision: the guards in their order, one model call, one row."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
import structlog

from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tests.clients.peer import Reply
from tests.strategy.market import MARKET, TICK, raw_candle
from tradingsite.risk.inputs import Position
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.strategy import prompt
from tradingsite.strategy.models import ModelCall, TradingSignal

pytestmark = pytest.mark.django_db


@pytest.fixture
def client_with_candles(client_with_replies):
    """Return a function that makes a client of an exchange with these candles."""
    return lambda found: client_with_replies(Reply(200, json.dumps(found)))


def test_signal_stores_everything_it_is_based_on(desk):
    desk.sandbox.model.queue_decision("BUY", confidence=Decimal("0.73"))

    signal = desk.decide(position=Position(MARKET, Decimal("0.01"), Decimal(1_000_000)))

    assert (signal.decision, signal.confidence, signal.reason_code) == ("BUY", Decimal("0.73"), "")
    assert (signal.market, signal.tick, signal.price) == (MARKET, TICK, desk.price)
    assert signal.as_of == desk.at - timedelta(seconds=3)
    assert signal.inputs["position"]["held"] is True
    assert signal.inputs["indicators"]["rsi_14"] > 0
    assert signal.config == {
        "ai_model": "gemini-3.5-flash-lite",
        "ai_daily_call_limit": "100",
        "ai_min_confidence": "0.6",
        "stop_loss_pct": "5.0",
        "max_exposure_pct": "30.0",
    }
    call = signal.call
    assert json.loads(call.prompt) == signal.inputs
    assert call.prompt_sha256 == sha256(call.prompt.encode()).hexdigest()
    assert call.response_sha256 == sha256(call.response.encode()).hexdigest()
    assert (call.template_version, call.template_sha256) == (prompt.TEMPLATE_VERSION, prompt.TEMPLATE_SHA256)
    assert call.instruction == prompt.INSTRUCTION
    assert call.request_config["max_output_tokens"] == 8192
    assert (call.model_asked, call.model_answered) == ("gemini-3.5-flash-lite", "gemini-3.5-flash-lite")
    assert (call.http_status, call.finish_reason, call.error_kind) == (200, "STOP", "")
    assert min(call.prompt_tokens, call.output_tokens, call.thinking_tokens, call.latency_ms) > 0
    assert (
        call.cost_usd
        == (
            call.prompt_tokens * Decimal("0.3") + (call.output_tokens + call.thinking_tokens) * Decimal("2.5")
        )
        / 1_000_000
    )
    assert str(call).startswith("KRW-BTC gemini-3.5-flash-lite 2026-11-22")


def test_sandbox_model_decides_from_the_prompt(desk):
    signal = desk.decide()

    assert signal.reasoning.startswith("Sandbox")
    assert signal.confidence >= Decimal("0.5")
    assert signal.ungrounded == []


def test_ungrounded_numbers_are_stored_and_do_not_hold(desk, monkeypatch):
    monkeypatch.setattr("tradingsite.strategy.guards._COMMON_LEVELS", ())
    desk.sandbox.model.queue_decision("BUY")
    desk.sandbox.model.queued[0] = replace(desk.sandbox.model.queued[0], reasoning="It goes to 777,777,777.")

    signal = desk.decide()

    assert (signal.decision, signal.ungrounded) == ("BUY", ["777,777,777"])


def test_second_decision_of_a_tick_returns_the_first_without_a_request(desk):
    desk.sandbox.model.queue_decision("BUY")
    first = desk.decide()
    before = len(desk.sandbox.requests)

    again = desk.decide(after=timedelta(seconds=9))

    assert again == first
    assert len(desk.sandbox.requests) == before
    assert ModelCall.objects.count() == 1


def test_model_is_not_called_twice_for_a_tick(desk):
    desk.decide()
    TradingSignal.objects.all().delete()

    second = desk.decide()

    assert (second.decision, second.reason_code, second.call) == ("HOLD", "asked_before", None)
    assert (desk.model_requests(), ModelCall.objects.count()) == (1, 1)


def test_first_stored_signal_of_a_tick_wins(desk):
    """The other process writes its signal while this one waits for the model."""
    other = {"as_of": TICK, "decision": "HOLD", "reason_code": "quota"}
    generate = desk.model.generate

    class SlowModel:
        def generate(self, request, *, within_s):
            TradingSignal.objects.create(market=MARKET, tick=TICK, **other)
            return generate(request, within_s=within_s)

    assert desk.decide(model=SlowModel()).reason_code == "quota"
    assert TradingSignal.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"price": None}, "stale_input", "no price yet"),
        ({"seen_before": None}, "stale_input", "no price yet"),
        (
            {"seen_before": timedelta(seconds=30.001)},
            "stale_input",
            "the price was last seen 31 s ago, limit 30 s",
        ),
        ({"price": Decimal(0)}, "insane_input", "the price is 0"),
        ({"price": Decimal("NaN")}, "insane_input", "the price is NaN"),
    ],
    ids=["no price", "never seen", "old", "zero", "NaN"],
)
def test_decision_without_a_fresh_price_holds_without_a_request(desk, changes, code, text):
    before = len(desk.sandbox.requests)

    signal = desk.decide(**changes)

    assert (signal.decision, signal.reason_code, signal.reasoning) == ("HOLD", code, text)
    assert (signal.call, signal.confidence, signal.model_asked) == (None, None, "")
    assert len(desk.sandbox.requests) == before


def test_price_seen_30_seconds_ago_is_fresh(desk):
    assert desk.decide(seen_before=timedelta(seconds=30)).reason_code == ""


def test_price_far_from_the_candles_holds_without_a_call(desk):
    signal = desk.decide(price=desk.price * 2)

    assert signal.reason_code == "insane_input"
    assert signal.price == desk.price * 2
    assert desk.model_requests() == 0


@pytest.mark.parametrize("kind", ["drop_before", "500", "429", "418", "malformed_json"])
def test_model_is_not_called_without_candles(desk, kind):
    desk.sandbox.faults.add(Fault(kind, path="/v1/candles/*"))

    signal = desk.decide()

    assert (signal.decision, signal.reason_code) == ("HOLD", "no_candles")
    assert desk.model_requests() == 0


def test_flat_market_holds_without_a_call(desk, client_with_candles):
    flat = dict.fromkeys(("opening_price", "high_price", "low_price", "trade_price"), 1000)

    signal = desk.decide(
        exchange=client_with_candles([raw_candle(n) | flat for n in range(200)]), price=Decimal(1000)
    )

    assert signal.reason_code == "no_indicators"
    assert "rsi_14" in signal.reasoning
    assert signal.inputs["indicators"]["rsi_14"] is None
    assert desk.model_requests() == 0


def test_too_many_gaps_hold_without_a_call(desk, client_with_candles):
    found = [raw_candle(n) for n in range(241) if n % 6]

    signal = desk.decide(exchange=client_with_candles(found[:200]), price=Decimal(1001))
    gaps = desk.decide(
        exchange=client_with_candles([raw_candle(n) for n in range(300) if n % 4][:200]),
        price=Decimal(1001),
        tick=TICK + timedelta(minutes=1),
    )

    assert signal.reason_code == ""
    assert gaps.reason_code == "missing_candles"


def test_unreadable_setting_raises_and_stores_nothing(desk):
    SystemConfig.objects.filter(key="ai_min_confidence").update(value="much")

    with pytest.raises(UnreadableConfig):
        desk.decide()

    assert not TradingSignal.objects.exists()
    assert not ModelCall.objects.exists()


def test_answer_of_another_model_is_logged(desk):
    desk.sandbox.faults.add(Fault("model_other_model"))

    with structlog.testing.capture_logs() as logs:
        desk.decide()

    [line] = [each for each in logs if each["event"] == "signal.model_differs"]
    assert (line["asked"], line["answered"]) == ("gemini-3.5-flash-lite", "gemini-3.5-flash")


def test_api_key_is_in_no_column(desk):
    desk.sandbox.faults.add(Fault("model_400_key"))

    call = desk.decide().call

    values = " ".join(str(getattr(call, field.attname)) for field in ModelCall._meta.fields)
    assert desk.model.api_key not in values
