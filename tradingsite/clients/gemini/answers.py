"""Reads the model's answer field by field, because the package's own accessors hide incomplete answers.

Rules: docs/gemini-client.md G8.
"""

from dataclasses import dataclass
from typing import Any

from tradingsite.clients.gemini.failures import AnswerFacts, ModelFailure, raw_text
from tradingsite.clients.response import Answer

_FILTERED = {
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
}  # fmt: skip


@dataclass(frozen=True)
class Generation:
    """A complete answer.

    Attributes:
        text: what the model wrote; the caller still has to check it against the schema.
        model_answered: the model that answered, by its own account; "" if the answer does not name it.
        thinking_tokens: billed as output, but not part of `output_tokens`.
        raw: the response body as received, at most 64 KiB.
        latency_ms: from sending the request to the end of the answer.
    """

    text: str
    model_answered: str
    finish_reason: str
    status: int
    prompt_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    total_tokens: int | None
    raw: str
    latency_ms: int


def generation(message: Any, answer: Answer, *, latency_ms: int) -> Generation:
    """Return the answer in `message`, the package's protobuf, which must have one finished candidate.

    Raises ModelFailure.
    """
    facts = _facts(message)
    failure = _failure(message, facts)
    if failure:
        kind, text = failure
        raise ModelFailure(kind, text, answer=answer, facts=facts)
    return Generation(
        text=_texts(message)[-1],
        model_answered=facts.model_answered,
        finish_reason=facts.finish_reason,
        status=answer.status,
        prompt_tokens=facts.prompt_tokens,
        output_tokens=facts.output_tokens,
        thinking_tokens=facts.thinking_tokens,
        total_tokens=facts.total_tokens,
        raw=raw_text(answer),
        latency_ms=latency_ms,
    )


def _failure(message: Any, facts: AnswerFacts) -> tuple[str, str] | None:
    block = message.prompt_feedback.block_reason
    if block:
        return (
            "blocked",
            f"the prompt was blocked: {_enum_name(message.prompt_feedback, 'BlockReason', block)}",
        )
    if not message.candidates:
        return "empty", "the answer has no candidate"
    if len(message.candidates) > 1:
        return "invalid", f"the answer has {len(message.candidates)} candidates"
    if facts.finish_reason != "STOP":
        return _not_stopped(facts.finish_reason)
    return None if _texts(message) else ("empty", "the answer has no text")


def _not_stopped(finish_reason: str) -> tuple[str, str]:
    if finish_reason == "MAX_TOKENS":
        return "truncated", "the answer, or the thinking before it, reached the limit of tokens"
    if finish_reason in _FILTERED:
        return "blocked", f"a filter blocked the answer: {finish_reason}"
    return "unfinished", f"the answer ended with {finish_reason}"


def _texts(message: Any) -> list[str]:
    # The model's thoughts come first, as parts that look like text; a signature comes as an empty part.
    return [part.text for part in message.candidates[0].content.parts if part.text]


def _facts(message: Any) -> AnswerFacts:
    candidates = message.candidates
    finish = _enum_name(candidates[0], "FinishReason", candidates[0].finish_reason) if candidates else ""
    if not message.HasField("usage_metadata"):
        return AnswerFacts(message.model_version, finish)
    usage = message.usage_metadata
    prompt, output, total = (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count)
    # The package drops the count of thinking tokens, but the total includes them.
    return AnswerFacts(message.model_version, finish, prompt, output, max(0, total - prompt - output), total)


def _enum_name(message: Any, enum: str, number: int) -> str:
    """Return the name of an enum value, or its number if the value is newer than the package."""
    known = message.DESCRIPTOR.enum_types_by_name[enum].values_by_number.get(number)
    return known.name if known else str(number)
