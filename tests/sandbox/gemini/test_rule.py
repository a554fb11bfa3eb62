"""generateContent over plain HTTP: whose decision it is, and the shape it comes in (SF1-SF4)."""

import json
from decimal import Decimal

import pytest
import requests

from tradingsite.sandbox.options import GEMINI_KEY
from tradingsite.sandbox.server import SandboxServer

MODEL = "gemini-3.5-flash-lite"
CHOICES = {"type": "STRING", "format": "enum", "enum": ["BUY", "SELL", "HOLD"]}
SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "decision": CHOICES,
        "confidence": {"type": "NUMBER"},
        "reasoning": {"type": "STRING"},
    },
    "required": ["decision", "confidence", "reasoning"],
}


@pytest.fixture(scope="module")
def shared():
    with SandboxServer() as server:
        yield server


@pytest.fixture
def server(shared):
    yield shared
    shared.model.queued.clear()


def generate(server, prompt, *, schema=SCHEMA, path=f"{MODEL}:generateContent", query="", **replaced):
    text = prompt if isinstance(prompt, str) else json.dumps(prompt)
    body = {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema},
        **replaced,
    }
    return requests.post(
        f"{server.url}/v1beta/models/{path}{query}",
        json={name: member for name, member in body.items() if member is not None},
        headers={"x-goog-api-key": GEMINI_KEY},
        timeout=30,
    )


def answer(response):
    [candidate] = response.json()["candidates"]
    [part] = candidate["content"]["parts"]
    return json.loads(part["text"])


@pytest.mark.parametrize(
    ("prompt", "decision", "confidence", "reason"),
    [
        ({"indicators": {"rsi_14": 28}}, "BUY", 0.59, "RSI 28 is low"),
        ({"indicators": {"rsi_14": 7}}, "BUY", 0.86, "RSI 7 is low"),
        ({"rsi_14": {"value": "93.0"}}, "SELL", 0.86, "RSI 93.0 is high"),
        (
            {"price_krw": 100, "indicators": {"rsi_14": 50, "bollinger_lower_krw": 100.4}},
            "BUY", 0.68, "price 100 is below the lower band 100.4",
        ),
        (
            {"price": 101, "bollinger": {"lower": 99, "upper": 100.9}, "position": {"average_price": 1}},
            "SELL", 0.54, "price 101 is above the upper band 100.9",
        ),
        ({"rsi": None, "price": 1000, "macd_histogram": 0.6}, "BUY", 0.58, "MACD histogram 0.6"),
        ({"price": 1000, "macd_histogram_krw": -0.9}, "SELL", 0.62, "MACD histogram -0.9"),
        ({"price": 1000, "macd_histogram": 0.2}, "HOLD", 0.72, "MACD histogram 0.2 is flat"),
        ({"price": 1000, "macd_krw": 4, "macd_signal_krw": 5}, "SELL", 0.64, "MACD 4 against its signal 5"),
        ({"macd_krw": 5, "macd_signal_krw": 5}, "HOLD", 0.72, "MACD 5 against its signal 5 is flat"),
        ({"price": 100, "bollinger_lower": 90, "upper_band": 110}, "HOLD", 0.5, "no indicator"),
        ({"candles": [{"rsi_14": 3}], "limits": {"stop_loss_pct": 5}}, "HOLD", 0.5, "no indicator"),
        ({"macd": 5}, "HOLD", 0.5, "no indicator"),
        ("Should I buy?", "HOLD", 0.5, "no indicator"),
        ("[1, 2", "HOLD", 0.5, "no indicator"),
    ],
)  # fmt: skip
def test_decision_follows_the_indicators_in_the_prompt(server, prompt, decision, confidence, reason):
    found = answer(generate(server, prompt))

    assert (found["decision"], found["confidence"]) == (decision, confidence)
    assert found["reasoning"].startswith(f"Sandbox rule: {reason}")


def test_preset_decision_comes_first_and_says_so(server):
    server.model.queue_decision("SELL", confidence=Decimal("0.7"), times=2)
    found = [answer(generate(server, {"rsi_14": 20})) for _ in range(3)]

    assert [each["decision"] for each in found] == ["SELL", "SELL", "BUY"]
    assert found[0]["confidence"] == 0.7
    assert found[0]["reasoning"] == "Sandbox rule: this decision was requested."


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"decision": "buy"}, r"decision is 'buy': it must be one of BUY, SELL, HOLD"),
        ({"decision": "BUY", "confidence": Decimal("1.1")}, r"confidence is 1.1: it must be between 0 and 1"),
        ({"decision": "BUY", "times": 0}, r"times is 0"),
    ],
)
def test_invalid_preset_decision_is_refused(server, order, message):
    with pytest.raises(ValueError, match=message):
        server.model.queue_decision(**order)

    assert not server.model.queued


def test_answer_has_the_schemas_names_and_types(server):
    properties = {
        "action": {"type": 1, "enum": ["buy", "sell", "hold"]},
        "confidence": {"type": 2},
        "reasoning": {"type": "string"},
        "risk_level": {"type": 1, "enum": ["low", "medium", "high"]},
        "count": {"type": 3},
        "sure": {"type": "BOOLEAN"},
        "tags": {"type": "ARRAY"},
    }
    schema = {"type": 6, "properties": properties}
    server.model.queue_decision("BUY", confidence=Decimal("0.9"))
    sure = answer(generate(server, {}, schema=schema))
    server.model.queue_decision("BUY", confidence=Decimal(0))
    unsure = answer(generate(server, {}, schema=schema))

    assert list(sure) == list(properties)
    assert (sure["action"], sure["risk_level"], unsure["risk_level"]) == ("buy", "low", "high")
    assert (sure["count"], sure["sure"], sure["tags"]) == (0, False, [])


def test_answer_without_a_schema_has_decision_confidence_and_reasoning(server):
    response = generate(server, {"rsi_14": 20}, generationConfig=None)

    assert list(answer(response)) == ["decision", "confidence", "reasoning"]


def test_enums_are_names_unless_numbers_are_requested(server):
    plain = generate(server, {}).json()
    numbers = generate(server, {}, query="?%24alt=json%3Benum-encoding%3Dint").json()

    assert plain["candidates"][0]["finishReason"] == "STOP"
    assert numbers["candidates"][0]["finishReason"] == 1
    assert numbers["candidates"][0]["safetyRatings"] == [{"category": 10, "probability": 1}]


def test_usage_adds_up_and_model_version_is_the_requested_model(server):
    body = generate(server, {"rsi_14": 20}, path="gemini-3.8-flash%3AgenerateContent").json()
    usage = body["usageMetadata"]

    assert body["modelVersion"] == "gemini-3.8-flash"
    assert body["responseId"]
    assert usage["thoughtsTokenCount"] > 0
    assert usage["totalTokenCount"] == (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"contents": None}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"parts": "text"}]}, "contents is not specified"),
        ({"temprature": 0}, 'Unknown name "temprature"'),
        ({"generationConfig": {"response_schema": {"required": ["x"]}}}, "property is not defined"),
    ],
)
def test_invalid_body_is_a_400_that_names_the_field(server, replaced, message):
    response = generate(server, {}, **replaced)

    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_body_that_is_not_a_json_object_is_a_400(server, body):
    url = f"{server.url}/v1beta/models/{MODEL}:generateContent"
    response = requests.post(url, data=body, headers={"x-goog-api-key": GEMINI_KEY}, timeout=30)

    assert response.status_code == 400
    assert "Invalid JSON payload" in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["gemini-0-none", "gemini-embedding-001"])
def test_model_without_generate_content_is_a_404(server, name):
    response = generate(server, {}, path=f"{name}:generateContent")

    assert response.status_code == 404
    assert "not supported for generateContent" in response.json()["error"]["message"]


def test_request_without_a_key_uses_no_preset_decision(server):
    server.model.queue_decision("BUY")
    response = requests.post(f"{server.url}/v1beta/models/{MODEL}:generateContent", json={}, timeout=30)

    assert response.status_code == 403
    assert len(server.model.queued) == 1
