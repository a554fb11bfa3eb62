"""Validation of the model's answers."""

import json
from decimal import Decimal

import pytest

from tradingsite.strategy.guards import MAX_UNGROUNDED, is_same_family, parse_advice, storable, ungrounded
from tradingsite.strategy.hold_reasons import NoAdvice
from tradingsite.strategy.model_request import PRICE_TABLE, cost_usd

GOOD = {"decision": "BUY", "confidence": 0.7, "reasoning": "RSI is low."}


def written(**changes) -> str:
    return json.dumps({**GOOD, **changes})


def test_valid_answer_becomes_advice():
    found = parse_advice(written())

    assert (found.decision, found.confidence_rounded, found.reasoning) == (
        "BUY",
        Decimal("0.7000"),
        "RSI is low.",
    )


@pytest.mark.parametrize(
    ("confidence", "confidence_rounded"),
    [("0", "0"), ("1", "1"), ("0.59999", "0.5999"), ("0.00001", "0"), ("1e-320", "0"), ("-0.0", "0")],
)
def test_confidence_is_rounded_down(confidence, confidence_rounded):
    text = written().replace("0.7", confidence)

    assert parse_advice(text).confidence_rounded == Decimal(confidence_rounded)


def test_extra_keys_are_ignored():
    assert parse_advice(written(target_price=1, notes=["x"])).decision == "BUY"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"BUY"',
        "I would wait.",
        "```json\n" + written() + "\n```",
        written() + written(),
        written()[:-5],
        "\ufeff" + written(),
        written(decision="STRONG_BUY"),
        written(decision="buy"),
        written(decision=None),
        written(decision=["BUY"]),
        written(confidence=72),
        written(confidence=1.0001),
        written(confidence=-0.01),
        written(confidence="0.7"),
        written(confidence=True),
        written(confidence=None),
        written().replace("0.7", "NaN"),
        written().replace("0.7", "Infinity"),
        written().replace("0.7", "1e999"),
        written().replace("0.7", "9" * 5000),
        written(reasoning=""),
        written(reasoning=" \n"),
        written(reasoning="x" * 4001),
        written(reasoning=7),
        written(reasoning="a\0b"),
        written(reasoning="a\ud800b"),
        json.dumps({"decision": "BUY", "confidence": 0.7}),
        '{"decision": "HOLD", "decision": "BUY", "confidence": 0.7, "reasoning": "x"}',
        "[" * 100_000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_malformed_answer_is_invalid(text):
    with pytest.raises(NoAdvice) as caught:
        parse_advice(text)

    assert caught.value.code == "invalid"
    assert len(caught.value.text) < 200


def test_reasoning_may_have_4000_characters():
    assert len(parse_advice(written(reasoning="x" * 4000)).reasoning) == 4000


def test_characters_that_the_database_refuses_are_replaced():
    assert storable("a\0b\udfffc") == "a\ufffdb\ufffdc"


INPUTS = {
    "market": "KRW-1INCH",
    "as_of": "2026-11-22T12:00:00Z",
    "price_krw": 148_601_000,
    "position": {"held": True, "unrealised_pct": -2.4},
    "indicators": {"rsi_14": 61.8345, "macd_krw": -12345.678, "ema_20_krw": 0.034},
    "candles": {"recent": {"closes_krw": [148_000_000, 147_500_000]}},
}


@pytest.mark.parametrize(
    "reasoning",
    [
        "No number at all.",
        "RSI(14) of 61.8 is between 30 and 70, so 100 % neutral.",
        "RSI 62.",
        "The price of 148,601,000 won (148.6 million, 148.6M, 0.1486bn) is above the EMA-20 of 0.03.",
        "MACD is -12,346, the loss 2.4%.",
        "As of 2026-11-22 12:00.",
        "rsi_14, x86 and v2.5.7 are names.",
        "Closes: 148000000, 147500000.",
    ],
)
def test_numbers_of_the_inputs_are_grounded_in_any_notation(reasoning):
    assert ungrounded(reasoning, INPUTS) == []


def test_ungrounded_numbers_are_listed_once_as_quoted():
    reasoning = "The target is 155,000,000 won, RSI 44.1 then 44.1, volume up 250 %, 160 million soon."

    assert ungrounded(reasoning, INPUTS) == ["155,000,000", "44.1", "250", "160 million"]


def test_list_of_ungrounded_numbers_is_limited():
    text = " ".join(f"{number}.5" for number in range(200, 300))

    assert len(ungrounded(text, INPUTS)) == MAX_UNGROUNDED


@pytest.mark.parametrize(
    ("requested", "answered", "same"),
    [
        ("gemini-3.5-flash-lite", "gemini-3.5-flash-lite", True),
        ("gemini-3.5-flash-lite", "models/gemini-3.5-flash-lite-001", True),
        ("models/gemini-3.8-flash", "gemini-3.8-flash-preview-11-2026", True),
        ("gemini-3.5-flash", "gemini-3.5-flash-lite", False),
        ("gemini-2.5-flash", "gemini-3.5-flash-lite", False),
    ],
)
def test_model_version_is_of_the_same_family(requested, answered, same):
    assert is_same_family(requested, answered) is same


def test_thinking_tokens_are_billed_as_output():
    assert cost_usd("gemini-3.5-flash-lite", 3000, 200, 300) == Decimal("0.00215")
    assert cost_usd("gemini-3.8-flash", 1_000_000, 0, 1_000_000) == Decimal("4.5")
    assert PRICE_TABLE


@pytest.mark.parametrize("counts", [(None, 1, 1), (1, None, 1), (1, 1, None)])
def test_unknown_tokens_or_model_have_no_cost(counts):
    assert cost_usd("gemini-3.5-flash-lite", *counts) is None
    assert cost_usd("gemini-9-ultra", 1, 1, 1) is None
