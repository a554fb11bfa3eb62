"""Registering keys and rules, and judging rules over several keys."""

from decimal import Decimal

import pytest

from sysconfig import registry
from sysconfig.kinds import INTEGER
from sysconfig.registry import ConfigKey, InvalidConfigValue, Rule

pytestmark = pytest.mark.usefixtures("some_keys")


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
def test_what_breaks_no_rule_passes(changed, stored):
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
        ("t_free", "nul\0", "must be text: the key is not registered"),
        ("t_count", 99, "must be between 0 and 10"),
    ],
)
def test_what_the_table_can_not_hold_is_refused(name, value, message):
    with pytest.raises(InvalidConfigValue, match=message):
        registry.text_of(name, value)


def test_the_text_to_store_is_canonical_for_registered_keys_and_untouched_for_others():
    assert registry.text_of("t_least", Decimal("1E+1")) == "10"
    assert registry.text_of("t_words", " b, a") == "b,a"
    assert registry.text_of("t_free", " as it is ") == " as it is "
