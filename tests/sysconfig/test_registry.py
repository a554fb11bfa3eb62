"""Registering keys and rules, and judging rules over several keys."""

from decimal import Decimal

import pytest

from sysconfig import registry
from sysconfig.registry import ConfigKey, InvalidConfigValue, Rule
from sysconfig.value_types import BOOL, INTEGER, NUMBER, Items

pytestmark = pytest.mark.usefixtures("some_keys")

WORDS = Items(r"[a-z]+", "must be words")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="config key t_count is registered twice"):
        registry.register([ConfigKey("t_count", INTEGER, 1)])


def test_registering_the_same_key_again_changes_nothing():
    before = registry.registered()
    registry.register(before)

    assert registry.registered() == before


def test_defaults_that_break_a_rule_are_found_at_once():
    low, high = ConfigKey("low", INTEGER, 2), ConfigKey("high", INTEGER, 1)
    rule = Rule((low, high), lambda low, high: low <= high, "low %(low)s exceeds high %(high)s")

    with pytest.raises(ValueError, match="the defaults break a rule: low 2 exceeds high 1"):
        registry.register([low, high], [rule])


@pytest.mark.parametrize(
    ("changed", "culprit"),
    [
        ({"t_least": "3.5"}, "t_least"),
        ({"t_most": "0.5"}, "t_most"),
        ({"t_least": "9", "t_most": "8"}, "t_least"),
    ],
)
def test_a_broken_rule_names_the_changed_key_its_value_and_the_others(changed, culprit):
    with pytest.raises(InvalidConfigValue) as refusal:
        registry.check_rules(changed, {"t_least": "1.0", "t_most": "3.0"})

    after = {"t_least": "1.0", "t_most": "3.0"} | changed
    rule = f"t_least {after['t_least']} exceeds t_most {after['t_most']}"
    assert str(refusal.value) == f"{culprit}: {changed[culprit]!r} is refused: {rule}"


@pytest.mark.parametrize(
    ("changed", "stored"),
    [
        ({"t_least": "3"}, {"t_least": "1.0", "t_most": "3.0"}),
        ({"t_least": "5", "t_most": "6"}, {"t_least": "1.0", "t_most": "3.0"}),
        ({"t_count": "9"}, {"t_least": "9", "t_most": "3.0"}),  # another key's concern
        ({"t_least": "9"}, {"t_most": "broken"}),  # judged when t_most is repaired
        ({"t_least": "9"}, {}),
    ],
)
def test_a_change_that_breaks_no_rule_passes(changed, stored):
    registry.check_rules(changed, stored)


def test_partners_are_all_keys_that_a_rule_joins():
    assert registry.partners(["t_most", "t_count"]) == {"t_least", "t_most", "t_count"}
    assert registry.partners(["t_count"]) == {"t_count"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("", "x", "a key has 1 to 100 characters"),
        ("k" * 101, "x", "a key has 1 to 100 characters"),
        ("t_free", 5, "must be text: the key is not registered"),
        ("t_free", "nul\0", "no NUL and no half of a character can be stored"),
        ("t_free", "\ud800", "no NUL and no half of a character can be stored"),
        ("nul\0", "x", "no NUL and no half of a character can be stored"),
        ("t_count", 99, "must be between 0 and 10"),
    ],
)
def test_a_value_that_the_table_can_not_store_is_refused(name, value, message):
    with pytest.raises(InvalidConfigValue, match=message):
        registry.text_of(name, value)


def test_the_text_to_store_is_canonical_for_registered_keys_and_untouched_for_others():
    assert registry.text_of("t_least", Decimal("1E+1")) == "10"
    assert registry.text_of("t_words", " b, a") == "b,a"
    assert registry.text_of("t_free", " as it is ") == " as it is "


# What raises the risk


@pytest.mark.parametrize(
    ("value_type", "riskier", "old", "new", "raises"),
    [
        (NUMBER, "higher", "1.0", "1.1", True),
        (NUMBER, "higher", "1.0", "1", False),
        (NUMBER, "higher", "9", "10", True),  # as numbers, not as texts
        (NUMBER, "higher", "10", "9", False),
        (INTEGER, "lower", "10", "9", True),
        (INTEGER, "lower", "9", "10", False),
        (BOOL, "higher", "false", "true", True),
        (BOOL, "higher", "true", "false", False),
        (WORDS, "added", "a,b", "b,a", False),
        (WORDS, "added", "a,b", "a", False),
        (WORDS, "added", "a,b", "a,c", True),
        (NUMBER, "", "1", "50", False),
        (NUMBER, "higher", "much", "0", True),
        (NUMBER, "lower", "99", "50", True),  # over its limit: nothing works with it
        (NUMBER, "higher", None, "0", True),
        (NUMBER, "", "much", "0", False),
    ],
)
def test_a_change_raises_the_risk_in_the_keys_direction_or_over_an_unreadable_value(
    value_type, riskier, old, new, raises
):
    limits = None if value_type is BOOL else (0, 50)
    default = {BOOL: False, WORDS: ("a",)}.get(value_type, 1)
    registry.register([ConfigKey("t_risk", value_type, default, limits=limits, riskier=riskier)])

    assert registry.raises_risk("t_risk", old, new) is raises


def test_a_key_that_is_not_registered_raises_no_risk():
    assert registry.raises_risk("t_free", "1", "2") is False


def test_every_broken_rule_is_found():
    low, high = ConfigKey("low", INTEGER, 1), ConfigKey("high", INTEGER, 2)
    registry.register([low, high], [Rule((low, high), lambda low, high: low <= high, "low exceeds high")])

    broken = registry.broken_rules({"low": "3", "t_least": "9"}, {"high": "2", "t_most": "8"})

    assert [refused.key for refused in broken] == ["t_least", "low"]
