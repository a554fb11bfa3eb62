"""Turns a BUY or SELL signal into an order: reads the account, asks the risk gate, stores and sends it.

Rules: docs/orders.md O1, O3.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sysconfig.registry import UnreadableConfig
from sysconfig.snapshot import ConfigSnapshot
from tradingsite import trading_config
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import ClientError
from tradingsite.orders.execution import gate_inputs, submission
from tradingsite.orders.execution.intents import Intent, OrderNotStored, market_lock, record
from tradingsite.orders.models import Order, Side
from tradingsite.orders.portfolio import account
from tradingsite.risk import gate
from tradingsite.risk.inputs import BUY, BuyLimits, Proposal, SignalLimits
from tradingsite.risk.verdict import Check, Clamp, Verdict
from tradingsite.strategy.models import TradingSignal

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

READ_WITHIN_S = 4.0
"""For each of the two reads before a decision, so that time is left to send within `SEND_WITHIN_S`."""
_SIDES = {TradingSignal.Decision.BUY.value: Side.BID, TradingSignal.Decision.SELL.value: Side.ASK}


def order_from_signal(
    signal: TradingSignal,
    config: ConfigSnapshot,
    client: UpbitExchange,
    *,
    synced: bool,
    volatility_checked_at: datetime | None,
    at: datetime,
    **sending: Any,
) -> Order:
    """Return the one order of a BUY or SELL signal: denied with its reason, or sent.

    If the signal has an order already, that one is returned and nothing is sent.

    Args:
        signal: a saved BUY or SELL.
        config: the run's snapshot. A limit that cannot be read denies the order; there is no fallback.
        client: for our account.
        synced: whether a reconciliation succeeded in this run; without it nothing is bought.
        volatility_checked_at: when `check_volatility` last succeeded.
        at: the time of the decision.
        sending: for `submission.submit`.

    Raises:
        ValueError: the signal is neither BUY nor SELL.
        django.db.Error: nothing was sent, or the outcome could not be stored; the reconciliation resolves
        both.
    """
    proposal, decided = _proposal(signal), Deadline(submission.SEND_WITHIN_S)
    try:
        # A buy limit that cannot be read must not prevent a sell.
        limits = BuyLimits.from_config(config) if proposal.side == BUY else SignalLimits.for_sells(config)
        enabled = proposal.side == BUY and config[trading_config.TRADING_ENABLED]
        chance = client.chance(signal.market, within_s=READ_WITHIN_S)
        balances = client.accounts(within_s=READ_WITHIN_S)
    except UnreadableConfig as error:
        return _denied(signal, Check("limit_unreadable", False, str(error)), at)
    except ClientError as error:
        return _denied(signal, Check("exchange_unavailable", False, str(error)), at)
    try:
        with market_lock(signal.market):
            if order := Order.objects.filter(signal=signal).first():
                return order
            at += timedelta(seconds=submission.SEND_WITHIN_S - decided.left_s())  # the two reads took time
            now = gate_inputs.circumstances(
                signal.market,
                _side(signal),
                at,
                trading_enabled=enabled,
                synced=synced,
                volatility_checked_at=volatility_checked_at,
            )
            position, clamps = gate_inputs.sellable_position(signal.market, balances)
            account_value, terms = gate_inputs.account_value(balances, at), gate_inputs.terms(chance)
            verdict = gate.evaluate(proposal, position, account_value, terms, now, limits)
            order = record(_intent(signal, verdict, clamps, now.price, balances), at)
    except OrderNotStored as error:
        is_market_busy = "one_order_at_a_time_per_market" in str(error)
        reason = "order_unresolved" if is_market_busy else "not_written"
        return _denied(signal, Check(reason, False, str(error)), at)
    return order if order.has_ended else submission.submit(client, order, decided=decided, **sending)


def _denied(signal: TradingSignal, check: Check, at: datetime) -> Order:
    """Store a denied order if the gate could not be evaluated; the next tick makes a new signal."""
    with market_lock(signal.market):
        known = Order.objects.filter(signal=signal).first()
        intent = Intent(signal.market, _side(signal), signal, verdict=Verdict((check,)), price=signal.price)
        return known or record(intent, at)


def _side(signal: TradingSignal) -> Side:
    return _SIDES[signal.decision]


def _proposal(signal: TradingSignal) -> Proposal:
    if signal.decision not in _SIDES or signal.confidence is None or signal.price is None:
        raise ValueError(f"signal {signal.pk} is a {signal.decision}: nothing to act on")
    return Proposal(
        market=signal.market,
        side="bid" if _side(signal) == Side.BID else "ask",
        confidence=signal.confidence,
        signal_price=signal.price,
        as_of=signal.as_of,
    )


def _intent(
    signal: TradingSignal,
    verdict: Verdict,
    clamps: tuple[Clamp, ...],
    price: Decimal | None,
    balances: list[Balance],
) -> Intent:
    return Intent(
        market=signal.market,
        side=_side(signal),
        signal=signal,
        funds=verdict.funds,
        volume=verdict.volume,
        verdict=replace(verdict, clamps=(*clamps, *verdict.clamps)),
        price=price,
        krw_before=account.total(balances, account.KRW),
        coin_before=account.total(balances, account.coin(signal.market)),
    )
