"""Stores an order before it is sent, and every later change of its state (docs/orders.md O1-O4)."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import DataError, IntegrityError, connection, transaction

from tradingsite.orders.models import ENDED_STATES, Cause, Order, OrderEvent, OrderState, OrderType, Side
from tradingsite.risk.verdict import Verdict
from tradingsite.strategy.models import TradingSignal

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Intent:
    """An order to be placed. A buy has `funds` in whole won, without the fee; a sell has `volume`.

    Attributes:
        verdict: of the risk gate; None for a stop-loss, which the gate does not check.
        price: the market's last price at the decision.
        krw_before: the balance of won before, including what is locked; None if unknown.
        coin_before: the same of the market's coin; it proves later whether the order sold or bought anything.
    """

    market: str
    side: Side
    signal: TradingSignal | None = None
    funds: Decimal | None = None
    volume: Decimal | None = None
    verdict: Verdict | None = None
    price: Decimal | None = None
    krw_before: Decimal | None = None
    coin_before: Decimal | None = None


class OrderNotStored(Exception):
    """The database refused the order; the text says why. Nothing was sent."""


@contextmanager
def market_lock(market: str) -> Iterator[None]:
    """Open a transaction in which no other process stores an order of `market`. Send nothing inside it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"orders.{market}"])
        yield


def record(intent: Intent, at: datetime) -> Order:
    """Store the order, inside `market_lock`: ready to send, or denied with the gate's reason.

    Raises:
        OrderNotStored: the signal already has an order, another order of the market is active, or the order's
            values are invalid.
    """
    try:
        with transaction.atomic():
            return _store(intent, at)
    except (IntegrityError, DataError) as refused:
        raise OrderNotStored(str(refused).partition("\n")[0]) from refused


def _store(intent: Intent, at: datetime) -> Order:
    verdict = intent.verdict
    order = Order.objects.create(
        signal=intent.signal,
        cause=Cause.SIGNAL if intent.signal else Cause.STOP_LOSS,
        identifier=f"ts-{uuid.uuid4()}",
        market=intent.market,
        side=intent.side,
        ord_type=OrderType.PRICE if intent.side == Side.BID else OrderType.MARKET,
        funds=intent.funds,
        volume=intent.volume,
        checks=verdict.checks_as_json() if verdict else [],
        clamps=verdict.clamps_as_json() if verdict else [],
        decided_price=intent.price,
        krw_before=intent.krw_before,
        coin_before=intent.coin_before,
        created_at=at,
    )
    if verdict and not verdict.allowed:
        order.reason = verdict.reason
        transition(order, OrderState.DENIED, at, {"reason": verdict.text})
    else:
        transition(order, OrderState.SUBMITTING, at, {})
    return order


def transition(order: Order, state: OrderState, at: datetime, evidence: Mapping[str, Any]) -> None:
    """Save `order` in its next state, with an event that says why.

    Raises:
        IntegrityError: the database does not allow this transition.
    """
    before, order.state = order.state, state
    order.ended_at = at if state in ENDED_STATES else None
    order.save()
    OrderEvent.objects.create(
        order=order,
        at=at,
        what=OrderEvent.What.MOVED,
        state_before=before,
        state_after=state,
        evidence=dict(evidence),
    )
    logger.info(
        "order.moved",
        order=order.identifier,
        market=order.market,
        side=order.side,
        before=str(before),
        after=str(state),
        reason=order.reason,
    )


def record_lookup(order: Order, at: datetime, evidence: Mapping[str, Any]) -> None:
    """Store what a lookup at the exchange showed, without a change of state."""
    OrderEvent.objects.create(
        order=order,
        at=at,
        what=OrderEvent.What.LOOKED,
        state_before=order.state,
        state_after=order.state,
        evidence=dict(evidence),
    )
