"""Makes one call to the model: its row is saved before the call and completed afterwards, whatever happens.

Rules: docs/signals.md D3, D9, D10.
"""

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
from tradingsite.strategy.guards import Advice, family, is_same_family, parse_advice, storable
from tradingsite.strategy.hold_reasons import NoAdvice

logger = structlog.get_logger(__name__)

MAX_OUTPUT_TOKENS = 8192
"""Includes thinking, so a lower limit would cut off answers."""
_MAX_TOKENS = 2**31 - 1
_FINISH_REASON_LENGTH = 40
PRICE_TABLE = "2026-11"
"""Version of the prices below; change it together with a price."""

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. Thinking is billed as output."""

    prompt: Decimal
    output: Decimal


PRICES = {
    "gemini-3.5-flash-lite": Price(Decimal("0.30"), Decimal("2.50")),
    "gemini-3.8-flash": Price(Decimal("0.75"), Decimal("3.75")),
}


@dataclass(frozen=True, slots=True)
class ModelRequest:
    market: str
    tick: datetime
    at: datetime
    model: str
    text: str
    daily_limit: int
    within_s: float

    def reserve_call(self) -> ModelCall:
        """Return the committed row of the call. Raises NoAdvice if the model may not be called."""
        return budget.reserve_call(self.model, self.tick, self.at, self.daily_limit, self._row)

    def generation_request(self) -> GenerationRequest:
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


def call_model(call: ModelCall, request: ModelRequest, client: GeminiModel) -> Advice:
    """Make the call and complete its row.

    Raises:
        NoAdvice: with the kind of the failure, which the row has, too.
    """
    started = time.monotonic()
    try:
        answer = client.generate(request.generation_request(), within_s=request.within_s)
    except ModelFailure as error:
        _set_end(call, started)
        _record_failure(call, error)
        call.save()
        raise NoAdvice(call.error_kind, call.error_message) from error
    _set_end(call, started)
    _record_answer(call, answer)
    try:
        advice = parse_advice(answer.text)
    except NoAdvice as hold:
        call.error_kind, call.error_message = hold.code, hold.text
        raise
    finally:
        call.save()
    return advice


def _set_end(call: ModelCall, started: float) -> None:
    elapsed = timedelta(seconds=time.monotonic() - started)
    call.ended_at = call.started_at + elapsed
    call.latency_ms = round(elapsed / timedelta(milliseconds=1), 1)


def _record_failure(call: ModelCall, error: ModelFailure) -> None:
    call.error_kind, call.error_message = error.kind, storable(error.message)
    call.retry_after_s = error.retry_after_s
    call.not_before = budget.not_before(
        call.ended_at or call.started_at, error.retry_after_s, daily_quota=error.daily_quota
    )
    _record_answer(call, error)


def _record_answer(call: ModelCall, answer: Generation | ModelFailure) -> None:
    call.response = storable(answer.raw)
    call.response_sha256 = _sha256(call.response) if call.response else ""
    call.http_status = answer.status
    call.finish_reason = storable(answer.finish_reason)[:_FINISH_REASON_LENGTH]
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
    if call.model_answered and not is_same_family(call.model_asked, call.model_answered):
        logger.warning(
            "signal.model_differs",
            market=call.market,
            asked=call.model_asked,
            answered=call.model_answered,
        )


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= _MAX_TOKENS else None


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def cost_usd(family: str, prompt: int | None, output: int | None, thinking: int | None) -> Decimal | None:
    """Return the list price of these tokens; None if the model or a count is unknown."""
    price = PRICES.get(family)
    if price is None or prompt is None or output is None or thinking is None:
        return None
    return (prompt * price.prompt + (output + thinking) * price.output) / _MILLION
