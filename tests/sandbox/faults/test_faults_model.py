"""Every fault of the model host, as google.generativeai sees it over REST."""

import json

import pytest
import requests

from tests.clients.peer import wait_until
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.sandbox.server import SandboxServer

MODEL = "gemini-3.5-flash-lite"
SCHEMA = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "format": "enum", "enum": ["BUY", "SELL", "HOLD"]},
        "confidence": {"type": "number"},
        "reasoning": {"type": "string"},
    },
    "required": ["decision", "confidence", "reasoning"],
}


@pytest.fixture(scope="module")
def package():
    import google.generativeai as package

    return package


@pytest.fixture(scope="module")
def shared():
    with SandboxServer() as server:
        yield server


@pytest.fixture
def server(shared):
    shared.requests.clear()
    yield shared
    shared.faults.clear()
    shared.model.queued.clear()


@pytest.fixture
def generate(package, server):
    import google.ai.generativelanguage as language

    options = {"api_key": GEMINI_KEY, "api_endpoint": server.url}
    client = language.GenerativeServiceClient(transport="rest", client_options=options)
    model = package.GenerativeModel(MODEL, system_instruction="Decide.")
    model._client = client
    server.model.queue_decision("BUY")

    def generate(timeout_s=30.0):
        return model.generate_content(
            json.dumps({"rsi_14": 50}),
            generation_config={"response_mime_type": "application/json", "response_schema": SCHEMA},
            request_options=package.types.RequestOptions(timeout=timeout_s),
        )

    with client:
        yield generate


def test_sdk_reads_an_ordinary_answer(generate):
    response = generate()

    assert json.loads(response.text)["decision"] == "BUY"
    assert response.candidates[0].finish_reason.name == "STOP"
    assert response.model_version == MODEL
    usage = response.usage_metadata
    assert usage.total_token_count > usage.prompt_token_count + usage.candidates_token_count


def test_sdk_finds_the_model(package, server):
    import google.ai.generativelanguage as language

    options = {"api_key": GEMINI_KEY, "api_endpoint": server.url}
    with language.ModelServiceClient(transport="rest", client_options=options) as client:
        model = package.get_model(f"models/{MODEL}", client=client)

    assert "generateContent" in model.supported_generation_methods


def faulty(server, generate, name):
    server.faults.add(Fault(f"model_{name}"))
    return generate()


@pytest.mark.parametrize(
    ("name", "finish_reason"),
    [
        ("max_tokens_half_json", 2), ("max_tokens_no_parts", 2), ("safety", 3), ("recitation", 4),
        ("other_finish", 5), ("unknown_finish_name", 0),
    ],
)  # fmt: skip
def test_unfinished_candidate_has_its_finish_reason(server, generate, name, finish_reason):
    response = faulty(server, generate, name)

    assert int(response.candidates[0].finish_reason) == finish_reason


def test_finish_reason_unknown_to_the_sdk_is_a_number(server, generate):
    response = faulty(server, generate, "unknown_finish_number")

    with pytest.warns(UserWarning, match="Unrecognized FinishReason enum value: 99"):
        assert response.candidates[0].finish_reason == 99


def test_sdk_text_of_a_truncated_answer_is_invalid_json(server, generate):
    text = faulty(server, generate, "max_tokens_half_json").text

    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(text)


def test_blocked_prompt_has_a_reason_and_no_candidates(server, generate):
    response = faulty(server, generate, "blocked_prompt")

    assert response.prompt_feedback.block_reason.name == "PROHIBITED_CONTENT"
    assert not response.candidates
    assert not faulty(server, generate, "no_candidates").candidates


def test_answer_cut_while_thinking_has_no_parts(server, generate):
    response = faulty(server, generate, "max_tokens_no_parts")

    assert not response.candidates[0].content.parts
    assert response.usage_metadata.candidates_token_count == 0


def test_two_candidates_fault_returns_different_decisions(server, generate):
    candidates = faulty(server, generate, "two_candidates").candidates
    decisions = [json.loads(each.content.parts[0].text)["decision"] for each in candidates]

    assert decisions == ["BUY", "SELL"]


def test_thought_precedes_the_answer(server, generate):
    first, last = faulty(server, generate, "thought_in_front").candidates[0].content.parts

    assert not first.text.startswith("{")
    assert json.loads(last.text)["decision"] == "BUY"


def test_other_model_fault_changes_the_model_version(server, generate):
    assert faulty(server, generate, "other_model").model_version == "gemini-3.5-flash"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("confidence_72", {"confidence": 72}), ("confidence_text", {"confidence": "high"}),
        ("wrong_enum", {"decision": "STRONG_BUY"}), ("extra_keys", {"target_price": 1}),
    ],
)  # fmt: skip
def test_json_fault_returns_wrong_values(server, generate, name, expected):
    found = json.loads(faulty(server, generate, name).text)

    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("confidence_nan", '"confidence": NaN'), ("fenced_json", "```json\n{"), ("not_json", "I would wait"),
    ],
)  # fmt: skip
def test_text_fault_returns_invalid_json(server, generate, name, part):
    assert part in faulty(server, generate, name).text


def test_missing_field_and_empty_text_faults(server, generate):
    assert "reasoning" not in json.loads(faulty(server, generate, "missing_field").text)
    assert faulty(server, generate, "empty_text").candidates[0].content.parts[0].text == ""


@pytest.mark.parametrize(
    ("name", "error", "requests_made"),
    [
        ("400_field", "BadRequest", 1), ("400_key", "BadRequest", 1), ("400_location", "BadRequest", 1),
        ("401", "Unauthorized", 3), ("403", "Forbidden", 1), ("403_html", "Forbidden", 1),
        ("404", "NotFound", 1), ("429", "TooManyRequests", 1), ("429_day", "TooManyRequests", 1),
        ("500", "InternalServerError", 1), ("502_html", "BadGateway", 1), ("503", "ServiceUnavailable", 1),
        ("504", "GatewayTimeout", 1),
    ],
)  # fmt: skip
def test_error_status_becomes_the_matching_sdk_exception(server, generate, name, error, requests_made):
    from google.api_core import exceptions

    server.faults.add(Fault(f"model_{name}"))
    with pytest.raises(getattr(exceptions, error)):
        generate()

    assert [answered.fault for answered in server.requests] == [f"model_{name}"] * requests_made
    assert server.faults.armed() == []
    assert len(server.model.queued) == 1  # nothing was generated


def test_a_429_has_a_retry_delay_or_a_daily_quota(server, generate):
    from google.api_core.exceptions import TooManyRequests

    details = {}
    for name in ("429", "429_day"):
        server.faults.add(Fault(f"model_{name}"))
        with pytest.raises(TooManyRequests) as raised:
            generate()
        details[name] = json.dumps(list(raised.value.details))

    assert '"retryDelay": "7.5s"' in details["429"]
    assert "PerDay" in details["429_day"]
    assert "RetryInfo" not in details["429_day"]


def test_a_200_without_json_fails_to_parse(server, generate):
    from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]  # it ships no types

    server.faults.add(Fault("model_200_no_json"))
    with pytest.raises((ParseError, ValueError)):
        generate()


def test_reset_and_silence_become_connection_errors(server, generate):
    server.faults.add(Fault("model_reset"))
    server.faults.add(Fault("model_silence"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        generate()
    with pytest.raises((requests.ReadTimeout, requests.ConnectTimeout)):
        generate(timeout_s=0.2)
    wait_until(lambda: len(server.requests) == 2)

    assert [answered.status for answered in server.requests] == [None, None]


def test_trickled_answer_reaches_the_sdk_complete(server, generate):
    server.faults.add(Fault("model_trickle", seconds=0.0005))
    response = generate()

    assert json.loads(response.text)["decision"] == "BUY"
    assert server.requests[-1].fault == "model_trickle"


@pytest.mark.parametrize("name", MODEL_FAULTS)
def test_every_model_fault_has_a_help_text_and_applies_to_generation_only(shared, name):
    fault = MODEL_FAULTS[name]
    shared.faults.add(Fault(name))
    response = requests.get(
        f"{shared.url}/v1beta/models/{MODEL}", headers={"x-goog-api-key": GEMINI_KEY}, timeout=30
    )
    shared.faults.clear()

    assert response.status_code == 200
    assert fault.help
    assert fault.times == (3 if name == "model_401" else 1)


def test_refused_request_is_not_altered_by_a_fault(server):
    server.faults.add(Fault("model_wrong_enum"))
    url = f"{server.url}/v1beta/models/{MODEL}:generateContent"

    assert requests.post(url, json={}, timeout=30).status_code == 403
