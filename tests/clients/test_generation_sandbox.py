"""The model client with the sandbox's Gemini server, without faults and with each of them."""

import json
from collections.abc import Iterator

import pytest

from tests.clients.peer import LONG_TIMEOUT_S
from tests.clients.samples import SCHEMA
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.sandbox.server import SandboxServer

REQUEST = GenerationRequest("gemini-3.5-flash-lite", "Decide.", '{"indicators": {"rsi_14": 20}}', SCHEMA)
WRONG_TEXT = {
    name
    for name in MODEL_FAULTS
    if name.removeprefix("model_")
    in {
        *("confidence_72", "confidence_nan", "confidence_text", "wrong_enum", "missing_field"),
        *("not_json", "fenced_json"),
    }
}
"""Faults that change only the output text, which the caller of the client checks."""
FAILURES = {
    name: fault.failure for name, fault in MODEL_FAULTS.items() if fault.failure and name not in WRONG_TEXT
}
NO_FAILURE = [name for name in MODEL_FAULTS if name not in FAILURES]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def model(sandbox) -> GeminiModel:
    return GeminiModel(sandbox.url, GEMINI_KEY, connect_timeout_s=LONG_TIMEOUT_S)


def test_sandbox_answers_in_the_requested_schema(model):
    answer = model.generate(REQUEST)

    assert json.loads(answer.text)["decision"] == "BUY"
    assert answer.model_answered == "gemini-3.5-flash-lite"
    assert answer.total_tokens == answer.prompt_tokens + answer.output_tokens + answer.thinking_tokens


@pytest.mark.parametrize(("name", "kind"), FAILURES.items())
def test_fault_becomes_a_failure_of_its_kind(model, sandbox, name, kind):
    model.generate(REQUEST)  # imports the package, which takes longer than the short limit below
    sandbox.requests.clear()
    seconds = {"model_silence": 10, "model_trickle": 0.2}.get(name)
    sandbox.faults.add(Fault(name, seconds=seconds))

    with pytest.raises(ModelFailure) as caught:
        model.generate(REQUEST, within_s=0.5 if seconds else LONG_TIMEOUT_S)

    assert caught.value.kind == kind
    if not seconds:  # else the sandbox may still be sending the response
        assert len(sandbox.requests) == (3 if name == "model_401" else 1)


@pytest.mark.parametrize("name", NO_FAILURE)
def test_fault_that_the_client_does_not_detect_returns_the_output(model, sandbox, name):
    sandbox.faults.add(Fault(name))

    assert model.generate(REQUEST).finish_reason == "STOP"
    assert len(sandbox.requests) == 1


def test_unknown_key_or_model_is_refused(model, sandbox):
    for client, name, kind in (
        (GeminiModel(sandbox.url, "another-key"), REQUEST.model, "auth"),
        (model, "gemini-0-none", "config"),
    ):
        with pytest.raises(ModelFailure) as caught:
            client.generate(GenerationRequest(name, "a", "b", SCHEMA))
        assert caught.value.kind == kind
