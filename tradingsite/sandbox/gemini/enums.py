"""Converts enums of Gemini's API between names and numbers (docs/sandbox-faults.md SF1)."""

from collections.abc import Mapping
from typing import Any

from tradingsite.sandbox.http.messages import Request

_FINISH = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE")
_BLOCK = ("BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT")
_TYPE = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT")
_PROBABILITY = ("HARM_PROBABILITY_UNSPECIFIED", "NEGLIGIBLE", "LOW", "MEDIUM", "HIGH")
_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "finishReason": {name: number for number, name in enumerate(_FINISH)},
    "blockReason": {name: number for number, name in enumerate(_BLOCK)},
    "probability": {name: number for number, name in enumerate(_PROBABILITY)},
    "modality": {"TEXT": 1},
    "category": {"HARM_CATEGORY_HARASSMENT": 7, "HARM_CATEGORY_DANGEROUS_CONTENT": 10},
}


def wants_enum_numbers(request: Request) -> bool:
    """Return whether the client asks for enums as numbers: `?$alt=json;enum-encoding=int`."""
    return request.params.get("$alt") == "json;enum-encoding=int"


def with_enum_numbers(value: Any) -> Any:
    """Return the JSON value with every known enum name replaced by its number."""
    if isinstance(value, Mapping):
        return {name: _number(name, member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_enum_numbers(item) for item in value]
    return value


def _number(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _NUMBERS.get(name, {}).get(value, value)
    return with_enum_numbers(value)


def type_name(value: object) -> str:
    """Return a schema type, given as number or as name in any case, as upper-case name."""
    if isinstance(value, int) and 0 <= value < len(_TYPE):
        return _TYPE[value]
    return str(value).upper()
