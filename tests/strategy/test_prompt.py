"""The prompt: numbers that we computed, the same text for the same inputs."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from sysconfig.models import SystemConfig
from tests.strategy.market import MARKET, TICK, candles, columns
from tradingsite.risk.inputs import Position
from tradingsite.strategy import prompt
from tradingsite.strategy.candles import series
from tradingsite.strategy.indicators import indicators
from tradingsite.strategy.prompt import MarketFacts

pytestmark = pytest.mark.django_db

AT = TICK + timedelta(seconds=5)
SEEN = TICK + timedelta(seconds=1)


def prompt_inputs(volume="0", cost="0", without=()):
    facts = MarketFacts(MARKET, AT, Position(MARKET, Decimal(volume), Decimal(cost)), Decimal("1010.5"), SEEN)
    found = series(candles(without=without), MARKET, TICK)
    return prompt.inputs(facts, found, indicators(*columns(found.bars)), SystemConfig.objects.snapshot())


def leaves(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def test_prompt_inputs_are_numbers_except_market_and_two_times():
    texts = {name: value for name, value in leaves(prompt_inputs()) if isinstance(value, str)}

    assert texts == {
        "market": MARKET,
        "as_of": "2026-11-22T12:00:01Z",
        "last_closed_at": "2026-11-22T12:00:00Z",
    }


def test_every_number_has_its_unit_in_its_name():
    units = ("_krw", "_pct", "_coins", "_min", "_s", "_14", "count", "filled", "held", "min_confidence")

    numbers = [name for name, value in leaves(prompt_inputs()) if not isinstance(value, str)]

    assert [name for name in numbers if not name.endswith(units)] == []


def test_prompt_inputs_describe_the_market():
    found = prompt_inputs(without=[3])

    assert (found["price_krw"], found["price_age_s"]) == (1010.5, 4.0)
    assert found["candles"] | {"recent": None} == {
        "unit_min": 30, "last_closed_at": "2026-11-22T12:00:00Z", "count": 200, "filled": 1, "recent": None,
    }  # fmt: skip
    recent = found["candles"]["recent"]
    assert recent["closes_krw"][-4:] == [1005, 1003, 1002, 1001]
    assert recent["filled"] == [False] * 8 + [True] + [False] * 3
    assert found["change_1h_pct"] == pytest.approx(100 * (1010.5 - 1002) / 1002, rel=1e-7)
    assert found["limits"] == {"min_confidence": 0.6, "stop_loss_pct": 5, "max_exposure_pct": 30}


@pytest.mark.parametrize(
    ("volume", "cost", "position"),
    [
        ("0", "0", {"held": False, "unrealised_pct": None}),
        ("2", "2000", {"held": True, "unrealised_pct": 1.05}),
        ("2", "0", {"held": True, "unrealised_pct": None}),
    ],
)
def test_prompt_has_the_position_as_held_and_unrealised_share(volume, cost, position):
    assert prompt_inputs(volume, cost)["position"] == position


def test_equal_inputs_make_equal_texts():
    found = prompt_inputs()

    text = prompt.text(found)

    assert text == prompt.text(json.loads(text)) == prompt.text(dict(reversed(found.items())))
    assert json.loads(text) == found


def test_changed_template_needs_a_new_version():
    versions = {"1": "339fd4b6857f3db5b5a441eae8b5e5b7c9f87b7827c6fa32ab4c894277d1dc10"}

    assert versions[prompt.TEMPLATE_VERSION] == prompt.TEMPLATE_SHA256


def test_schema_is_accepted_by_the_sdk():
    from google.ai.generativelanguage import Schema

    schema = Schema.from_json(json.dumps(prompt.SCHEMA))

    assert list(schema.required) == ["decision", "confidence", "reasoning"]
