"""The types of a setting. Each converts between the text in the table and the value in code."""

import re
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

T = TypeVar("T")
Limits = tuple[Any, Any]


class InvalidValue(ValueError):
    """A value breaks a rule; `rule` describes it for operators."""

    def __init__(self, rule: StrOrPromise) -> None:
        super().__init__(rule)
        self.rule = rule


class ValueType(ABC, Generic[T]):
    """One type. `parse(format(value)) == value`, and `format` gives each value one spelling.

    Limits are inclusive, and apply to what `measure` returns.
    """

    name: str
    rule: StrOrPromise
    limits_rule: StrOrPromise = _("must be between %(least)s and %(most)s")

    @abstractmethod
    def parse(self, text: str) -> T:
        """Return the value of `text`. Raises InvalidValue."""

    @abstractmethod
    def format(self, value: object) -> str:
        """Return the text of a value. Raises InvalidValue for a value of another type."""

    def measure(self, value: T) -> Any:
        return value

    def check(self, value: T, limits: Limits | None) -> None:
        if limits and not limits[0] <= self.measure(value) <= limits[1]:
            raise InvalidValue(self.limits_text(limits))

    def limits_text(self, limits: Limits) -> str:
        """Return the limits in words."""
        return str(self.limits_rule) % {"least": limits[0], "most": limits[1]}


class Bool(ValueType[bool]):
    name = "bool"
    rule = _("must be true or false")

    def parse(self, text: str) -> bool:
        try:
            return {"true": True, "false": False}[text.strip().lower()]
        except KeyError:
            raise InvalidValue(self.rule) from None

    def format(self, value: object) -> str:
        if not isinstance(value, bool):
            raise InvalidValue(self.rule)
        return "true" if value else "false"


class Integer(ValueType[int]):
    name = "int"
    rule = _("must be a whole number")

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text.strip()):
            raise InvalidValue(self.rule)
        return int(text)

    def format(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValue(self.rule)
        return str(value)


class Number(ValueType[Decimal]):
    """A finite decimal number in plain notation. Floats are rejected, since they are inexact."""

    name = "Decimal"
    rule = _("must be a plain decimal number with at most 8 decimal places, such as 2.5")

    def parse(self, text: str) -> Decimal:
        if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,8})?", text.strip()):
            raise InvalidValue(self.rule)
        return Decimal(text.strip()) or Decimal(0)  # no negative zero

    def format(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            raise InvalidValue(self.rule)
        number = Decimal(value)
        exponent = number.as_tuple().exponent
        # 1E+999999999 must not be written out as digits; the exponent of NaN and infinity is a letter.
        if not isinstance(exponent, int) or exponent < -8 or number.adjusted() > 11:
            raise InvalidValue(self.rule)
        return f"{number or Decimal(0):f}"


class Text(ValueType[str]):
    """One line of text; blanks at both ends are removed."""

    name = "text"
    rule = _("must be one line of text")
    limits_rule = _("must have between %(least)s and %(most)s characters")

    def parse(self, text: str) -> str:
        if not text.strip().isprintable():
            raise InvalidValue(self.rule)
        return text.strip()

    def format(self, value: object) -> str:
        if not isinstance(value, str):
            raise InvalidValue(self.rule)
        return value.strip()

    def measure(self, value: str) -> int:
        return len(value)


class Items(ValueType[tuple[str, ...]]):
    """Several different words, separated by commas."""

    name = "list"
    limits_rule = _("must have between %(least)s and %(most)s entries")

    def __init__(self, pattern: str, rule: StrOrPromise) -> None:
        """Take the regular expression that each item must match, and its description."""
        self._pattern = re.compile(pattern)
        self.rule = rule

    def parse(self, text: str) -> tuple[str, ...]:
        items = tuple(re.findall(r"[^\s,]+", text))
        if not all(map(self._pattern.fullmatch, items)):
            raise InvalidValue(self.rule)
        if len(set(items)) < len(items):
            raise InvalidValue(_("must not name an entry twice"))
        return items

    def format(self, value: object) -> str:
        if not isinstance(value, tuple | list) or not all(
            isinstance(item, str) and self._pattern.fullmatch(item) for item in value
        ):
            raise InvalidValue(self.rule)
        return ",".join(value)

    def measure(self, value: tuple[str, ...]) -> int:
        return len(value)


BOOL = Bool()
INTEGER = Integer()
NUMBER = Number()
TEXT = Text()
