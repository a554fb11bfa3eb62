"""Answers `generateContent` with the decision of a simple rule or a queued one, in the requested JSON schema.

Rules: docs/sandbox-faults.md SF1-SF4.
"""

import base64
import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from tradingsite.sandbox.gemini.enums import type_name, wants_enum_numbers, with_enum_numbers
from tradingsite.sandbox.gemini.model_api import Gemini, error
from tradingsite.sandbox.gemini.rule import Opinion, opinion
from tradingsite.sandbox.http.messages import Request, Response, json_response, json_text

DECISIONS = ("BUY", "SELL", "HOLD")
_METHOD = "generateContent"
_FIELDS = {
    *("model", "contents", "systemInstruction", "generationConfig", "safetySettings"),
    *("tools", "toolConfig", "cachedContent"),
}
_CHARACTERS_PER_TOKEN = 4


class Invalid(ValueError):
    """The request body is invalid; the text says which field and why."""


@dataclass(frozen=True)
class GenerateRequest:
    prompt: str
    schema: Mapping[str, Any]
    characters: int


class Generator:
    """Answers `generateContent`. `queued` holds decisions to return next in place of the rule's."""

    def __init__(self, host: Gemini) -> None:
        self.queued: deque[Opinion] = deque()
        self.host = host

    def queue_decision(self, decision: str, *, confidence: Decimal = Decimal("0.9"), times: int = 1) -> None:
        """Return this decision for the next `times` requests.

        Raises:
            ValueError: the decision is none of the three, or a number is out of range.
        """
        if decision not in DECISIONS:
            raise ValueError(f"decision is {decision!r}: it must be one of {', '.join(DECISIONS)}")
        if not 0 <= confidence <= 1:
            raise ValueError(f"confidence is {confidence}: it must be between 0 and 1")
        if not 1 <= times <= 1000:
            raise ValueError(f"times is {times}: it must be between 1 and 1000")
        reason = "Sandbox rule: this decision was requested."
        self.queued.extend([Opinion(decision, confidence, reason)] * times)

    def generate(self, request: Request, name: str) -> Response:
        refusal = self.host.refusal(request) or self.host.missing(name, _METHOD)
        if refusal:
            return refusal
        try:
            wanted = _read(request.body)
        except Invalid as invalid:
            return error(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", str(invalid))
        try:
            chosen = self.queued.popleft()
        except IndexError:
            chosen = opinion(wanted.prompt)
        body = _answer(request, name, wanted, json_text(_fit_schema(chosen, wanted.schema)))
        return json_response(with_enum_numbers(body) if wants_enum_numbers(request) else body)


def _read(body: bytes) -> GenerateRequest:
    try:
        sent = json.loads(body)
    except ValueError as failure:
        raise Invalid(f"Invalid JSON payload received. {failure}") from failure
    if not isinstance(sent, dict):
        raise Invalid("Invalid JSON payload received. An object is expected.")
    sent = {_camel(name): member for name, member in sent.items()}
    for name in sent:
        if name not in _FIELDS:
            raise Invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    try:
        parts = sent["contents"][-1]["parts"]
        prompt = "".join(part.get("text", "") for part in parts)
        config = {_camel(key): member for key, member in sent.get("generationConfig", {}).items()}
        schema = config.get("responseSchema", {})
        _check(schema)
    except (KeyError, IndexError, TypeError, AttributeError) as failure:
        raise Invalid("* GenerateContentRequest.contents: contents is not specified") from failure
    return GenerateRequest(prompt, schema, len(body.decode(errors="replace")))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _check(schema: Mapping[str, Any]) -> None:
    properties = schema.get("properties", {})
    for number, name in enumerate(schema.get("required", ())):
        if name not in properties:
            field = f"GenerateContentRequest.generation_config.response_schema.required[{number}]"
            raise Invalid(f"* {field}: property is not defined")


def _fit_schema(chosen: Opinion, schema: Mapping[str, Any]) -> dict[str, object]:
    """Return the opinion as an object with the schema's property names; with ours if there is no schema."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties") or {
        "decision": {"type": "STRING", "enum": DECISIONS},
        "confidence": {"type": "NUMBER"},
        "reasoning": {"type": "STRING"},
    }
    return {name: _member(name, wanted, chosen) for name, wanted in properties.items()}


def _member(name: str, wanted: Mapping[str, Any], chosen: Opinion) -> object:
    choices = list(wanted.get("enum", ()))
    decision = next((choice for choice in choices if str(choice).upper() == chosen.decision), None)
    if decision is not None or name in {"decision", "action"}:
        return decision or chosen.decision
    if choices:  # a risk level, for example: the higher the confidence, the earlier choice
        return choices[int((1 - chosen.confidence) * len(choices)) if chosen.confidence else -1]
    empty = {"INTEGER": 0, "BOOLEAN": False, "ARRAY": [], "OBJECT": {}, "STRING": chosen.reasoning}
    return empty.get(type_name(wanted.get("type")), chosen.confidence)


def _answer(request: Request, model: str, wanted: GenerateRequest, text: str) -> dict[str, object]:
    digest = hashlib.sha256(request.body + request.at_ms.to_bytes(8)).digest()
    prompt_tokens, tokens = wanted.characters // _CHARACTERS_PER_TOKEN, 1 + len(text) // _CHARACTERS_PER_TOKEN
    thoughts = 80 + digest[0]
    candidate = {
        "content": {"role": "model", "parts": [{"text": text}]},
        "finishReason": "STOP",
        "index": 0,
        "safetyRatings": [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "NEGLIGIBLE"}],
    }
    usage = {
        "promptTokenCount": prompt_tokens,
        "candidatesTokenCount": tokens,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt_tokens + tokens + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}],
    }
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": base64.urlsafe_b64encode(digest[:15]).decode(),
    }
