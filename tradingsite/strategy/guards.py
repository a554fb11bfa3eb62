"""What a model's answer must be before anybody acts on it (D7, D8)."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradingsite.strategy.hold_reasons import NoAdvice

MOST_UNGROUNDED = 20
_FAR = Decimal("0.01")
_CONVENTIONAL = (0, 1, 30, 50, 70, 80, 100)
"""Levels and shares that every text about indicators speaks of."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s?(k|m|mn|million|b|bn|billion)\b)?",
    re.IGNORECASE,
)
_SCALES = {"k": 3, "m": 6, "mn": 6, "million": 6, "b": 9, "bn": 9, "billion": 9}
_DIGITS_IN_NAME = re.compile(r"\d+")
_VERSION = re.compile(r"-(latest|\d{3}|(preview|exp)(-[\d-]+)?)$")


class Advice(BaseModel):
    """What the model was asked for; what else it says is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    decision: Literal["BUY", "SELL", "HOLD"]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    reasoning: Annotated[str, Field(min_length=1, max_length=4000)]

    @property
    def share(self) -> Decimal:
        """The confidence with four decimals, rounded down: rounding never lifts it over a limit."""
        return Decimal(repr(self.confidence)).quantize(Decimal("0.0001"), ROUND_DOWN)


def advice(text: str) -> Advice:
    """Return the answer in `text`, which must be one JSON object as it was asked for and nothing around it.

    Raises:
        NoAdvice: invalid, for everything else. Nothing is repaired, cut out or guessed.
    """
    try:
        found = Advice.model_validate(json.loads(text, object_pairs_hook=_each_once))
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
    """Return `text` without the characters that no database text holds."""
    return _UNSTORABLE.sub("\ufffd", text)


def ungrounded(reasoning: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return the numbers quoted in `reasoning` that are near none of the inputs, as quoted, at most 20.

    Near is within 1 %, or within the rounding of what is quoted, whatever the sign. Periods that stand in the
    inputs' names (the 14 of rsi_14) and the conventional levels count as known.
    """
    known = sorted({*_numbers(inputs), *map(Decimal, _CONVENTIONAL)})
    found: dict[str, None] = {}
    for match in _NUMBER.finditer(reasoning):
        if not _near(match, known):
            found[match[0].strip()] = None
    return list(found)[:MOST_UNGROUNDED]


def _near(quoted: re.Match[str], known: list[Decimal]) -> bool:
    plain = Decimal(quoted[1].replace(",", ""))
    value = plain.scaleb(_SCALES.get((quoted[2] or "").lower(), 0))
    # In 61.8 the last digit may stand for 61.75 to 61.85.
    rounding = (value / plain if plain else 1) * Decimal(1).scaleb(int(plain.as_tuple().exponent)) / 2
    return any(abs(value - each) <= max(_FAR * each, rounding) for each in known)


def same_family(asked: str, answered: str) -> bool:
    return family(asked) == family(answered)


def family(model: str) -> str:
    """Return a model's name without its prefix and its version."""
    return _VERSION.sub("", model.removeprefix("models/"))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
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
