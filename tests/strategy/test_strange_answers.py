"""Every strange answer of the model: a HOLD with the right kind after one request, and never an exception."""

from decimal import Decimal

import pytest

from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.strategy.models import ModelCall
from tradingsite.strategy.prompt import SCHEMA

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loaded")]

HARMLESS = [name for name, fault in MODEL_FAULTS.items() if not fault.failure]
FAILURES = [name for name, fault in MODEL_FAULTS.items() if fault.failure]
SLOW = {"model_silence": 30.0, "model_trickle": 0.05}


@pytest.fixture(scope="module")
def loaded(noon):
    """The vendor's package is there: importing it would use up the shortest bounds below."""
    GeminiModel(noon.url, GEMINI_KEY).generate(
        GenerationRequest("gemini-3.5-flash-lite", "Advise.", "{}", dict(SCHEMA))
    )


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_a_hold_with_its_kind_after_one_request(desk, name):
    kind = MODEL_FAULTS[name]
    desk.sandbox.model.queue_decision("BUY")
    desk.sandbox.faults.add(Fault(name, seconds=SLOW.get(name)))

    signal = desk.decide(within_s=1 if name in SLOW else 30)

    call = ModelCall.objects.get()
    assert (signal.decision, signal.reason_code) == ("HOLD", kind.failure)
    assert signal.confidence is None
    assert signal.call == call
    assert (call.error_kind, call.error_message) == (kind.failure, signal.reasoning)
    assert call.latency_ms is not None
    assert call.ended_at is not None
    assert desk.asked() == (3 if name == "model_401" else 1)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_careful_reader_can_live_with_is_an_answer(desk, name):
    desk.sandbox.model.queue_decision("SELL", confidence=Decimal("0.8"))
    desk.sandbox.faults.add(Fault(name))

    signal = desk.decide()

    assert (signal.decision, signal.confidence, signal.reason_code) == ("SELL", Decimal("0.8"), "")
    assert desk.asked() == 1


def test_the_list_of_strange_answers_is_the_whole_one():
    assert len(FAILURES) >= 25
    assert {MODEL_FAULTS[name].failure for name in FAILURES} == {
        "auth", "blocked", "config", "empty", "invalid", "network",
        "overloaded", "quota", "timeout", "truncated", "unfinished",
    }  # fmt: skip


def test_a_peer_that_sends_byte_by_byte_does_not_hold_up_the_run(desk):
    desk.sandbox.faults.add(Fault("model_trickle", seconds=0.05))  # the whole answer would take 30 s

    signal = desk.decide(within_s=0.4)

    assert signal.reason_code == "timeout"
    assert signal.call.latency_ms < 4000


def test_what_came_is_kept_also_when_it_is_of_no_use(desk):
    desk.sandbox.faults.add(Fault("model_confidence_72"))

    call = desk.decide().call

    assert '\\"confidence\\": 72' in call.response
    assert call.http_status == 200
    assert call.finish_reason == "STOP"
    assert call.cost_usd > 0


def test_another_model_that_answered_is_recorded_and_no_reason_to_hold(desk):
    desk.sandbox.model.queue_decision("BUY")
    desk.sandbox.faults.add(Fault("model_other_model"))

    signal = desk.decide()

    assert signal.decision == "BUY"
    assert signal.model_asked == "gemini-3.5-flash-lite"
    assert signal.model_answered == signal.call.model_answered == "gemini-3.5-flash"
