"""Text in the table, typed in the code: what each type of value takes and what it refuses."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from sysconfig.registry import ConfigKey, InvalidConfigValue, UnreadableConfig
from sysconfig.value_types import BOOL, INTEGER, NUMBER, TEXT, InvalidValue, Items

CODES = Items(r"[A-Z]{3,4}-[A-Z0-9]+", "must be codes")


@pytest.mark.parametrize(
    ("value_type", "text", "value", "canonical"),
    [
        (BOOL, "true", True, "true"),
        (BOOL, " False\n", False, "false"),
        (INTEGER, "0012", 12, "12"),
        (INTEGER, "-3", -3, "-3"),
        (INTEGER, "-0", 0, "0"),
        (NUMBER, "5", Decimal(5), "5"),
        (NUMBER, "007.50", Decimal("7.50"), "7.50"),
        (NUMBER, "-0.0", Decimal(0), "0"),
        (NUMBER, "0.00000001", Decimal("0.00000001"), "0.00000001"),
        (TEXT, "  gemini 모델 ", "gemini 모델", "gemini 모델"),
        (CODES, "KRW-BTC", ("KRW-BTC",), "KRW-BTC"),
        (CODES, " KRW-BTC ,\r\nKRW-1INCH,", ("KRW-BTC", "KRW-1INCH"), "KRW-BTC,KRW-1INCH"),
        (CODES, " , ", (), ""),
    ],
)
def test_text_is_read_and_written_in_one_spelling(value_type, text, value, canonical):
    read = value_type.parse(text)

    assert (read, type(read)) == (value, type(value))
    assert value_type.format(read) == canonical
    assert value_type.parse(canonical) == value


@pytest.mark.parametrize(
    ("value_type", "text"),
    [
        *((BOOL, text) for text in ("", "yes", "1", "tru e")),
        *((INTEGER, text) for text in ("", "1.0", "1e3", "1_000", "٣", "+1", "0x1", "9" * 19)),
        *((NUMBER, text) for text in ("", ".5", "5.", "1e3", "NaN", "Infinity", "1,5", "1_0", "٣.1", "--1")),
        *((NUMBER, text) for text in ("1" * 13, "0.123456789")),
        *((TEXT, text) for text in ("two\nlines", "bell\a", "nul\0")),
        *((CODES, text) for text in ("krw-btc", "BTC", "KRW-BTC,KRW-BTC", "KRW-BTC;KRW-ETH")),
    ],
)
def test_other_text_is_refused(value_type, text):
    with pytest.raises(InvalidValue):
        value_type.parse(text)


@pytest.mark.parametrize(
    ("value_type", "value", "text"),
    [
        (BOOL, True, "true"),
        (INTEGER, 7, "7"),
        (NUMBER, 7, "7"),
        (NUMBER, Decimal("1E+2"), "100"),
        (NUMBER, Decimal("-0.0"), "0"),
        (TEXT, " x ", "x"),
        (CODES, ["KRW-BTC", "KRW-ETH"], "KRW-BTC,KRW-ETH"),
    ],
)
def test_a_typed_value_is_written_as_text(value_type, value, text):
    assert value_type.format(value) == text


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        *((BOOL, value) for value in (1, None, "true")),
        *((INTEGER, value) for value in (True, 1.0, Decimal(1), None)),
        *((NUMBER, value) for value in (True, 1.5, None)),
        *((NUMBER, Decimal(text)) for text in ("NaN", "sNaN", "-Infinity", "1E+400000000", "1E-400000000")),
        (TEXT, 5),
        *((CODES, value) for value in ("KRW-BTC", ("KRW-BTC,KRW-ETH",), (5,), {"KRW-BTC"})),
    ],
)
def test_a_value_of_another_type_is_refused(value_type, value):
    with pytest.raises(InvalidValue):
        value_type.format(value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            ConfigKey("loss", NUMBER, Decimal(5), limits=(Decimal("0.1"), Decimal(50))),
            "50.01",
            "loss: '50.01' is refused: must be between 0.1 and 50",
        ),
        (
            ConfigKey("loss", NUMBER, Decimal(5), limits=(Decimal("0.1"), Decimal(50))),
            Decimal("0.09"),
            "loss: Decimal('0.09') is refused: must be between 0.1 and 50",
        ),
        (
            ConfigKey("codes", CODES, ("KRW-BTC",), limits=(1, 2)),
            "A",
            "codes: 'A' is refused: must be codes",
        ),
        (
            ConfigKey("codes", CODES, ("KRW-BTC",), limits=(1, 2)),
            "",
            "codes: '' is refused: must have between 1 and 2 entries",
        ),
        (
            ConfigKey("model", TEXT, "gemini", limits=(1, 9)),
            " ",
            "model: ' ' is refused: must have between 1 and 9 characters",
        ),
        (
            ConfigKey("calls", INTEGER, 1),
            1.5,
            "calls: 1.5 is refused: must be a whole number",
        ),
    ],
)
def test_a_refusal_names_the_key_the_value_and_the_rule(key, value, message):
    with pytest.raises(InvalidConfigValue) as refusal:
        key.clean(value)

    assert str(refusal.value) == message
    assert refusal.value.messages == [message]
    assert isinstance(refusal.value, ValidationError)
    assert (refusal.value.key, refusal.value.value) == (key.name, value)


@pytest.mark.parametrize("value", ["0.1", "50"])
def test_limits_are_inclusive(value):
    key = ConfigKey("loss", NUMBER, Decimal(5), limits=(Decimal("0.1"), Decimal(50)))

    assert key.clean(value) == Decimal(value)


def test_a_very_long_value_is_not_repeated_whole():
    with pytest.raises(InvalidConfigValue) as refusal:
        ConfigKey("calls", INTEGER, 1).clean("9" * 10_000)

    assert len(str(refusal.value)) < 200


def test_an_unreadable_row_is_an_error_with_its_key_and_value():
    key = ConfigKey("calls", INTEGER, 1, limits=(0, 10))

    with pytest.raises(
        UnreadableConfig, match=r"^system_config: calls holds 'many': must be a whole number$"
    ):
        key.read("many")
    with pytest.raises(
        UnreadableConfig, match=r"^system_config: calls holds '11': must be between 0 and 10$"
    ):
        key.read("11")
    with pytest.raises(UnreadableConfig, match=r"^system_config: calls has no row"):
        key.read(None)


def test_a_default_outside_its_own_limits_is_found_at_once():
    with pytest.raises(InvalidConfigValue, match="calls: 11 is refused"):
        ConfigKey("calls", INTEGER, 11, limits=(0, 10))
