"""Checks the model's answer before anything acts on it (docs/signals.md D7, D8)."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradingsite.strategy.hold_reasons import NoAdvice

MAX_UNGROUNDED = 20
_TOLERANCE = Decimal("0.01")
_COMMON_LEVELS = (0, 1, 30, 50, 70, 80, 100)
"""Levels and percentages that texts about indicators often mention."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s?(k|m|mn|million|b|bn|billion)\b)?",
    re.IGNORECASE,
)
_SCALES = {"k": 3, "m": 6, "mn": 6, "million": 6, "b": 9, "bn": 9, "billion": 9}
_DIGITS_IN_NAME = re.compile(r"\d+")
_VERSION = re.compile(r"-(latest|\d{3}|(preview|exp)(-[\d-]+)?)$")


class Advice(BaseModel):
    """The fields that the model must return; any others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    decision: Literal["BUY", "SELL", "HOLD"]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    reasoning: Annotated[str, Field(min_length=1, max_length=4000)]

    @property
    def confidence_rounded(self) -> Decimal:
        """The confidence with four decimals, rounded down, so that rounding cannot lift it over a limit."""
        return Decimal(repr(self.confidence)).quantize(Decimal("0.0001"), ROUND_DOWN)


def parse_advice(text: str) -> Advice:
    """Return the answer in `text`, which must be exactly one JSON object of the requested schema.

    Raises:
        NoAdvice: invalid, for everything else. Nothing is repaired or guessed.
    """
    try:
        found = Advice.model_validate(json.loads(text, object_pairs_hook=_reject_duplicates))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise NoAdvice("invalid", f"{place}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise NoAdvice("invalid", f"the answer is not one JSON object: {error}") from None
    if not found.reasoning.strip() or _UNSTORABLE.search(found.reasoning):
        raise NoAdvice("invalid", "reasoning: must be text")
    return found


def storable(text: str) -> str:
    """Replace the characters in `text` that PostgreSQL cannot store."""
    return _UNSTORABLE.sub("\ufffd", text)


def ungrounded(reasoning: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return the numbers in `reasoning` that match none of the inputs, as written, at most 20.

    A number matches within 1 %, or within its own rounding, whatever the sign. Periods in the inputs' names
    (the 14 of rsi_14) and common levels count as inputs.
    """
    known = sorted({*_numbers(inputs), *map(Decimal, _COMMON_LEVELS)})
    found: dict[str, None] = {}
    for match in _NUMBER.finditer(reasoning):
        if not _is_near(match, known):
            found[match[0].strip()] = None
    return list(found)[:MAX_UNGROUNDED]


def _is_near(quoted: re.Match[str], known: list[Decimal]) -> bool:
    plain = Decimal(quoted[1].replace(",", ""))
    value = plain.scaleb(_SCALES.get((quoted[2] or "").lower(), 0))
    # 61.8 may be the rounding of anything from 61.75 to 61.85.
    rounding = (value / plain if plain else 1) * Decimal(1).scaleb(int(plain.as_tuple().exponent)) / 2
    return any(abs(value - each) <= max(_TOLERANCE * each, rounding) for each in known)


def is_same_family(requested: str, answered: str) -> bool:
    return family(requested) == family(answered)


def family(model: str) -> str:
    """Return a model's name without prefix and version."""
    return _VERSION.sub("", model.removeprefix("models/"))


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _numbers(value: Any, name: str = "") -> Iterator[Decimal]:
    yield from map(Decimal, _DIGITS_IN_NAME.findall(value if isinstance(value, str) else name))
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield abs(Decimal(repr(value)))
