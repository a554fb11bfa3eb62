"""Makes the trading decision of one market at one tick: checks, one call to the model, one saved signal.

Rules: docs/signals.md D2.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import structlog

from sysconfig.snapshot import ConfigSnapshot
from tradingsite.clients.gemini.generation import GeminiModel
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.risk.inputs import Position
from tradingsite.strategy import budget, candles, model_request, prompt
from tradingsite.strategy.calls import ModelCall
from tradingsite.strategy.guards import Advice, ungrounded
from tradingsite.strategy.hold_reasons import NoAdvice
from tradingsite.strategy.indicators import indicators
from tradingsite.strategy.models import TradingSignal
from tradingsite.strategy.prompt import MarketFacts
from tradingsite.trading_config import AI_DAILY_CALL_LIMIT, AI_MODEL

logger = structlog.get_logger(__name__)

WITHIN_S = 45.0
"""Limit for the whole call to the model."""
SEEN_LIMIT = timedelta(seconds=30)


@dataclass(slots=True)
class DecisionRecord:
    """The data of a decision collected so far; it is saved even if a check ends the decision early."""

    inputs: dict[str, Any]
    call: ModelCall | None = None
    ungrounded: list[str] = field(default_factory=list)


def decide(  # noqa: PLR0913 - all inputs of a decision are explicit arguments
    market: str,
    tick: datetime,
    at: datetime,
    config: ConfigSnapshot,
    candle_client: UpbitClient,
    model_client: GeminiModel,
    *,
    position: Position,
    price: Decimal | None,
    price_seen_at: datetime | None,
    within_s: float = WITHIN_S,
) -> TradingSignal:
    """Return the saved signal of `market` at `tick`. If the tick already has one, return it without a call.

    A failure of the exchange, the model or a check results in a HOLD with its reason code.

    Args:
        market: one of `trading_markets`.
        tick: the scheduled time.
        at: now; decides whether `price_seen_at` and the candles are recent enough.
        config: the current configuration values.
        candle_client: called once.
        model_client: called at most once.
        position: the trader's position in the market.
        price: the last known price.
        price_seen_at: when a poll last saw it.
        within_s: time limit for the model's answer.

    Raises:
        UnreadableConfig: a needed value cannot be read; nothing is stored.
    """
    existing = TradingSignal.objects.filter(market=market, tick=tick).first()
    if existing is not None:
        return existing
    facts = MarketFacts(market, at, position, price, price_seen_at)
    values = prompt.used_config(config)
    record = DecisionRecord(prompt.basic_inputs(facts))
    try:
        request = _prepare_request(facts, tick, config, candle_client, record, within_s)
        record.call = request.reserve_call()
        advice = model_request.call_model(record.call, request, model_client)
    except NoAdvice as hold:
        return _save_signal(facts, tick, values, record, _hold_fields(hold))
    record.ungrounded = ungrounded(advice.reasoning, record.inputs)
    return _save_signal(facts, tick, values, record, _advice_fields(advice))


def _prepare_request(
    facts: MarketFacts,
    tick: datetime,
    config: ConfigSnapshot,
    client: UpbitClient,
    record: DecisionRecord,
    within_s: float,
) -> model_request.ModelRequest:
    model, limit = config[AI_MODEL], config[AI_DAILY_CALL_LIMIT]
    budget.check(model, tick, facts.at, limit)
    price = _fresh_price(facts)
    series = candles.closed_candles(client, facts.market, facts.at)
    candles.check_price(series, price)
    found = indicators(
        [float(bar.high) for bar in series.bars],
        [float(bar.low) for bar in series.bars],
        [float(bar.close) for bar in series.bars],
    )
    record.inputs = prompt.inputs(facts, series, found, config)
    if found.missing:
        raise NoAdvice("no_indicators", f"the candles give no {', '.join(found.missing)}")
    text = prompt.text(record.inputs)
    return model_request.ModelRequest(facts.market, tick, facts.at, model, text, limit, within_s)


def _fresh_price(facts: MarketFacts) -> Decimal:
    if facts.price is None or facts.price_seen_at is None:
        raise NoAdvice("stale_input", "no price yet")
    age = facts.at - facts.price_seen_at
    if age > SEEN_LIMIT:
        text = f"the price was last seen {ceil(age.total_seconds())} s ago, limit {SEEN_LIMIT.seconds} s"
        raise NoAdvice("stale_input", text)
    if not facts.price.is_finite() or facts.price <= 0:
        raise NoAdvice("insane_input", f"the price is {facts.price}")
    return facts.price


def _hold_fields(hold: NoAdvice) -> dict[str, Any]:
    return {"decision": TradingSignal.Decision.HOLD, "reason_code": hold.code, "reasoning": hold.text}


def _advice_fields(advice: Advice) -> dict[str, Any]:
    return {
        "decision": advice.decision,
        "confidence": advice.confidence_rounded,
        "reasoning": advice.reasoning,
    }


def _save_signal(
    facts: MarketFacts,
    tick: datetime,
    values: dict[str, str],
    record: DecisionRecord,
    decided: dict[str, Any],
) -> TradingSignal:
    positive = facts.price is not None and facts.price.is_finite() and facts.price > 0
    row = {
        "as_of": facts.as_of,
        "price": facts.price if positive else None,
        "model_asked": record.call.model_asked if record.call else "",
        "model_answered": record.call.model_answered if record.call else "",
        "call": record.call,
        "inputs": record.inputs,
        "config": values,
        "ungrounded": record.ungrounded,
        **decided,
    }
    # If two processes decide the same tick, the database keeps the first signal, and both use it.
    signal, made = TradingSignal.objects.get_or_create(market=facts.market, tick=tick, defaults=row)
    if made:
        logger.info(
            "signal.made",
            market=facts.market,
            decision=signal.decision,
            confidence=str(signal.confidence),
            reason=signal.reason_code,
        )
    return signal
