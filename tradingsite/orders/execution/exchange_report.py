"""What an order at the exchange says about ours: its state, its fills, its fee (O10 to O12)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import DataError, IntegrityError, transaction

from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder, Trade
from tradingsite.orders.execution import intents
from tradingsite.orders.models import Fill, Order, OrderType, State

logger = structlog.get_logger(__name__)

COIN_STEP = Decimal("1e-8")
_OPEN_AT_THE_EXCHANGE = {"wait", "watch"}


def state_of(told: ExchangeOrder) -> State:
    """Return where our order stands by what the exchange tells, which must have its trades.

    A market buy that was filled ends as `cancel`, since its total is seldom a whole number of the smallest
    part of a coin. It is done when what is left buys no such part.
    """
    if told.state in _OPEN_AT_THE_EXCHANGE:
        return State.PARTIAL if told.executed_volume else State.OPEN
    if told.state == "done":
        return State.DONE
    if told.state != "cancel":  # a word we do not know ends nothing
        return State.PARTIAL if told.executed_volume else State.OPEN
    return State.DONE if told.executed_volume and _spent(told) else State.CANCELLED


def apply(order: Order, told: ExchangeOrder, at: datetime) -> None:
    """Write what the exchange tells into `order`, whose row the caller has locked.

    An answer that contradicts itself, our books or its own trades, or that our tables refuse, ends nothing:
    it is noted, and a later look decides. One that tells nothing new leaves no trace.
    """
    if order.has_ended and order.state != State.LOST:
        return
    wrong = contradiction(order, told)
    if not wrong:
        try:
            with transaction.atomic():
                _book(order, told, at)
        except (IntegrityError, DataError) as refused:
            order.refresh_from_db()
            wrong = str(refused).partition("\n")[0]
    if wrong:
        logger.warning("order.contradiction", order=order.identifier, wrong=wrong)
        intents.looked(order, at, {"found": True, "contradiction": wrong})


def _book(order: Order, told: ExchangeOrder, at: datetime) -> None:
    state = state_of(told)
    if (state, told.executed_volume) == (order.state, order.executed_volume):
        return
    if order.state == State.LOST:
        logger.error("order.found_after_all", order=order.identifier, market=order.market)
    _write_fills(order, told.trades)
    order.uuid, order.reason = told.uuid, ""
    order.executed_volume = told.executed_volume
    order.executed_funds = _funds(told.trades)
    order.paid_fee = told.paid_fee
    if state == order.state:
        order.save()
        intents.looked(order, at, _facts(told))
    else:
        intents.move(order, state, at, _facts(told))


def contradiction(order: Order, told: ExchangeOrder) -> str:
    """Return why `told` cannot be the truth about `order`; empty when it can."""
    ours = (order.market, order.side, order.ord_type, order.identifier, order.uuid or told.uuid)
    named = told.identifier or order.identifier  # Upbit leaves out what it does not know
    theirs = (told.market, told.side, told.ord_type, named, told.uuid)
    if ours != theirs:
        return f"{theirs} was told, {ours} was asked for"
    return _wrong_amounts(order, told)


def _wrong_amounts(order: Order, told: ExchangeOrder) -> str:
    traded = sum((trade.volume for trade in told.trades), Decimal(0))
    if traded != told.executed_volume:
        return f"{told.executed_volume} were executed, {len(told.trades)} trades add up to {traded}"
    if told.executed_volume < order.executed_volume:
        return f"{told.executed_volume} were executed, {order.executed_volume} were before"
    if told.state == "done" and not told.executed_volume:
        return "it is done, but nothing was executed"
    return _wrong_trades(order, told)


def _wrong_trades(order: Order, told: ExchangeOrder) -> str:
    trades = {trade.uuid: (trade.price, trade.volume, trade.funds) for trade in told.trades}
    if len(trades) != len(told.trades):
        return "a trade is told twice"
    for fill in order.fills.all():
        if trades.get(fill.uuid) != (fill.price, fill.volume, fill.funds):
            return f"trade {fill.uuid} was told before, and is missing now or different"
    return ""


def _spent(told: ExchangeOrder) -> bool:
    if told.ord_type != OrderType.PRICE or told.price is None:
        return False
    dearest = max(trade.price for trade in told.trades)
    return told.price - _funds(told.trades) < dearest * COIN_STEP


def _funds(trades: Sequence[Trade]) -> Decimal:
    return sum((trade.funds for trade in trades), Decimal(0))


def _write_fills(order: Order, trades: Sequence[Trade]) -> None:
    known = set(order.fills.values_list("uuid", flat=True))
    told = [
        Fill(
            order=order,
            uuid=trade.uuid,
            price=trade.price,
            volume=trade.volume,
            funds=trade.funds,
            traded_at=trade.created_at,
        )
        for trade in trades
        if trade.uuid not in known
    ]
    Fill.objects.bulk_create(told)


def _facts(told: ExchangeOrder) -> dict[str, Any]:
    return {
        "found": True,
        "uuid": told.uuid,
        "state": told.state,
        "executed_volume": f"{told.executed_volume:f}",
        "paid_fee": f"{told.paid_fee:f}",
        "trades": told.trades_count,
    }
