"""One call: booked before it is made, recorded whatever comes of it (D3, D9, D10)."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import structlog

from tradingsite.clients.gemini.answers import Generation
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest
from tradingsite.strategy import budget, prompt
from tradingsite.strategy.calls import FAMILY_LENGTH, ModelCall
from tradingsite.strategy.guards import Advice, advice, family, same_family, storable
from tradingsite.strategy.hold_reasons import NoAdvice

logger = structlog.get_logger(__name__)

MAX_OUTPUT_TOKENS = 8192
"""Thinking counts against it: fewer would cut answers off."""
_MOST_TOKENS = 2**31 - 1
_WORD = 40
PRICE_TABLE = "2026-11"
"""Version of the prices below; a price that changes makes a new one."""

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens. Thinking is billed as output."""

    prompt: Decimal
    output: Decimal


PRICES = {
    "gemini-3.5-flash-lite": Price(Decimal("0.30"), Decimal("2.50")),
    "gemini-3.8-flash": Price(Decimal("0.75"), Decimal("3.75")),
}


@dataclass(frozen=True, slots=True)
class Question:
    market: str
    tick: datetime
    at: datetime
    model: str
    text: str
    daily_limit: int
    within_s: float

    def book(self) -> ModelCall:
        """Return the committed row. Raises NoAdvice when the model may not be asked."""
        return budget.book(self.model, self.tick, self.at, self.daily_limit, self._row)

    def request(self) -> GenerationRequest:
        return GenerationRequest(
            self.model, prompt.INSTRUCTION, self.text, dict(prompt.SCHEMA), MAX_OUTPUT_TOKENS
        )

    def _row(self) -> ModelCall:
        return ModelCall(
            market=self.market,
            tick=self.tick,
            started_at=self.at,
            model_asked=self.model,
            template_version=prompt.TEMPLATE_VERSION,
            template_sha256=prompt.TEMPLATE_SHA256,
            instruction=prompt.INSTRUCTION,
            prompt=self.text,
            prompt_sha256=_sha256(self.text),
            request_config={
                "max_output_tokens": MAX_OUTPUT_TOKENS,
                "response_schema": prompt.SCHEMA,
                "within_s": self.within_s,
            },
        )


def ask(call: ModelCall, question: Question, client: GeminiModel) -> Advice:
    """Make the call and complete its row.

    Raises:
        NoAdvice: the kind of the failure; the row says the same.
    """
    begun = time.monotonic()
    try:
        answer = client.generate(question.request(), within_s=question.within_s)
    except ModelFailure as error:
        _end(call, begun)
        _note_failure(call, error)
        call.save()
        raise NoAdvice(call.error_kind, call.error_message) from error
    _end(call, begun)
    _note_answer(call, answer)
    try:
        given = advice(answer.text)
    except NoAdvice as hold:
        call.error_kind, call.error_message = hold.code, hold.text
        raise
    finally:
        call.save()
    return given


def _end(call: ModelCall, begun: float) -> None:
    elapsed = timedelta(seconds=time.monotonic() - begun)
    call.ended_at = call.started_at + elapsed
    call.latency_ms = round(elapsed / timedelta(milliseconds=1), 1)


def _note_failure(call: ModelCall, error: ModelFailure) -> None:
    call.error_kind, call.error_message = error.kind, storable(error.message)
    call.retry_after_s = error.retry_after_s
    call.not_before = budget.not_before(
        call.ended_at or call.started_at, error.retry_after_s, daily_quota=error.daily_quota
    )
    _note_answer(call, error)


def _note_answer(call: ModelCall, answer: Generation | ModelFailure) -> None:
    call.response = storable(answer.raw)
    call.response_sha256 = _sha256(call.response) if call.response else ""
    call.http_status = answer.status
    call.finish_reason = storable(answer.finish_reason)[:_WORD]
    call.model_answered = storable(answer.model_answered)[:FAMILY_LENGTH]
    call.prompt_tokens = _tokens(answer.prompt_tokens)
    call.output_tokens = _tokens(answer.output_tokens)
    call.thinking_tokens = _tokens(answer.thinking_tokens)
    call.price_table = PRICE_TABLE
    call.cost_usd = cost_usd(
        family(call.model_answered or call.model_asked),
        call.prompt_tokens,
        call.output_tokens,
        call.thinking_tokens,
    )
    if call.model_answered and not same_family(call.model_asked, call.model_answered):
        logger.warning(
            "signal.model_differs",
            market=call.market,
            asked=call.model_asked,
            answered=call.model_answered,
        )


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def cost_usd(family: str, prompt: int | None, output: int | None, thinking: int | None) -> Decimal | None:
    """Return the list price of so many tokens; None when the model or a count is not known."""
    price = PRICES.get(family)
    if price is None or prompt is None or output is None or thinking is None:
        return None
    return (prompt * price.prompt + (output + thinking) * price.output) / _MILLION
