"""Every fault of the model host: a HOLD with its kind after one request, never an exception."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.clients.peer import LONG_TIMEOUT_S, stepping_clock, wait_until
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.strategy.models import ModelCall
from tradingsite.strategy.prompt import SCHEMA

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("package_loaded")]

HARMLESS = [name for name, fault in MODEL_FAULTS.items() if not fault.failure]
FAILURES = [name for name, fault in MODEL_FAULTS.items() if fault.failure]
SLOW = {"model_silence": 3600, "model_trickle": 0.05}


@pytest.fixture(scope="module")
def package_loaded(noon_sandbox):
    """The vendor's package is imported, which would use up the short limits below."""
    GeminiModel(noon_sandbox.url, GEMINI_KEY).generate(
        GenerationRequest("gemini-3.5-flash-lite", "Advise.", "{}", dict(SCHEMA))
    )


@pytest.mark.parametrize("name", FAILURES)
def test_model_failure_is_a_hold_with_its_kind_after_one_request(desk, name):
    kind = MODEL_FAULTS[name]
    desk.sandbox.model.queue_decision("BUY")
    desk.sandbox.faults.add(Fault(name, seconds=SLOW.get(name)))

    # The time up to the request is counted in readings of the clock: a busy machine sends it, too.
    model = replace(desk.model, clock=stepping_clock(0.05)) if name in SLOW else desk.model
    signal = desk.decide(model=model, within_s=1 if name in SLOW else LONG_TIMEOUT_S)

    wait_until(desk.model_requests)
    call = ModelCall.objects.get()
    assert (signal.decision, signal.reason_code) == ("HOLD", kind.failure)
    assert signal.confidence is None
    assert signal.call == call
    assert (call.error_kind, call.error_message) == (kind.failure, signal.reasoning)
    assert call.latency_ms is not None
    assert call.ended_at is not None
    assert desk.model_requests() == (3 if name == "model_401" else 1)


@pytest.mark.parametrize("name", HARMLESS)
def test_tolerable_fault_still_returns_advice(desk, name):
    desk.sandbox.model.queue_decision("SELL", confidence=Decimal("0.8"))
    desk.sandbox.faults.add(Fault(name))

    signal = desk.decide()

    assert (signal.decision, signal.confidence, signal.reason_code) == ("SELL", Decimal("0.8"), "")
    assert desk.model_requests() == 1


def test_faults_cover_every_kind_of_failure():
    assert len(FAILURES) >= 25
    assert {MODEL_FAULTS[name].failure for name in FAILURES} == {
        "auth", "blocked", "config", "empty", "invalid", "network",
        "overloaded", "quota", "timeout", "truncated", "unfinished",
    }  # fmt: skip


def test_trickled_answer_times_out_at_the_limit(desk):
    desk.sandbox.faults.add(Fault("model_trickle", seconds=0.05))  # the whole answer would take 30 s

    signal = desk.decide(within_s=0.4)

    assert signal.reason_code == "timeout"
    assert signal.call.latency_ms < 20_000


def test_unusable_answer_is_stored(desk):
    desk.sandbox.faults.add(Fault("model_confidence_72"))

    call = desk.decide().call

    assert '\\"confidence\\": 72' in call.response
    assert call.http_status == 200
    assert call.finish_reason == "STOP"
    assert call.cost_usd > 0


def test_answer_of_another_model_is_recorded_and_does_not_hold(desk):
    desk.sandbox.model.queue_decision("BUY")
    desk.sandbox.faults.add(Fault("model_other_model"))

    signal = desk.decide()

    assert signal.decision == "BUY"
    assert signal.model_asked == "gemini-3.5-flash-lite"
    assert signal.model_answered == signal.call.model_answered == "gemini-3.5-flash"
