"""Applies the exchange's report on an order to our row: state, fills and fee (docs/orders.md O10-O12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import structlog
from django.db import DataError, IntegrityError, transaction

from tradingsite.orders.execution import intents
from tradingsite.orders.models import Fill, Order, OrderState, OrderType
from tradingsite.risk.gate import COIN_STEP

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder, Trade

logger = structlog.get_logger(__name__)

_OPEN_REPORT_STATES = {"wait", "watch"}


def state_of(report: ExchangeOrder) -> OrderState:
    """Return our order's state by the exchange's report, which must include its trades.

    A filled market buy ends as `cancel`, because its total is rarely a whole number of the smallest part of a
    coin. It counts as done if the remaining money cannot buy that part.
    """
    if report.state in _OPEN_REPORT_STATES:
        return OrderState.PARTIAL if report.executed_volume else OrderState.OPEN
    if report.state == "done":
        return OrderState.DONE
    if report.state != "cancel":  # an unknown state is treated as still open
        return OrderState.PARTIAL if report.executed_volume else OrderState.OPEN
    return OrderState.DONE if report.executed_volume and _is_spent(report) else OrderState.CANCELLED


def apply_report(order: Order, report: ExchangeOrder, at: datetime) -> None:
    """Write the exchange's report into `order`, whose row the caller has locked.

    A report that contradicts itself, our records or its own trades, or that the database refuses, changes
    nothing but is recorded; a later lookup decides. A report without news is not recorded.
    """
    if order.has_ended and order.state != OrderState.LOST:
        return
    problem = contradiction(order, report)
    if not problem:
        try:
            with transaction.atomic():
                _save_report(order, report, at)
        except (IntegrityError, DataError) as refused:
            order.refresh_from_db()
            problem = str(refused).partition("\n")[0]
    if problem:
        logger.warning("order.contradiction", order=order.identifier, wrong=problem)
        intents.record_lookup(order, at, {"found": True, "contradiction": problem})


def _save_report(order: Order, report: ExchangeOrder, at: datetime) -> None:
    state = state_of(report)
    if (state, report.executed_volume) == (order.state, order.executed_volume):
        return
    if order.state == OrderState.LOST:
        logger.error("order.found_after_all", order=order.identifier, market=order.market)
    _write_fills(order, report.trades)
    order.uuid, order.reason = report.uuid, ""
    order.executed_volume = report.executed_volume
    order.executed_funds = _funds(report.trades)
    order.paid_fee = report.paid_fee
    if state == order.state:
        order.save()
        intents.record_lookup(order, at, _facts(report))
    else:
        intents.transition(order, state, at, _facts(report))


def contradiction(order: Order, report: ExchangeOrder) -> str:
    """Return why `report` cannot be true of `order`; "" if it can."""
    expected = (order.market, order.side, order.ord_type, order.identifier, order.uuid or report.uuid)
    identifier = report.identifier or order.identifier  # Upbit leaves out what it does not know
    reported = (report.market, report.side, report.ord_type, identifier, report.uuid)
    if expected != reported:
        return f"{reported} was reported, {expected} was ordered"
    return _amount_problem(order, report)


def _amount_problem(order: Order, report: ExchangeOrder) -> str:
    traded = sum((trade.volume for trade in report.trades), Decimal(0))
    if traded != report.executed_volume:
        return f"{report.executed_volume} were executed, {len(report.trades)} trades add up to {traded}"
    if report.executed_volume < order.executed_volume:
        return f"{report.executed_volume} were executed, {order.executed_volume} were before"
    if report.state == "done" and not report.executed_volume:
        return "it is done, but nothing was executed"
    return _trade_problem(order, report)


def _trade_problem(order: Order, report: ExchangeOrder) -> str:
    trades = {trade.uuid: (trade.price, trade.volume, trade.funds) for trade in report.trades}
    if len(trades) != len(report.trades):
        return "a trade is reported twice"
    for fill in order.fills.all():
        if trades.get(fill.uuid) != (fill.price, fill.volume, fill.funds):
            return f"trade {fill.uuid} was reported before, and is missing now or different"
    return ""


def _is_spent(report: ExchangeOrder) -> bool:
    if report.ord_type != OrderType.PRICE or report.price is None:
        return False
    highest = max(trade.price for trade in report.trades)
    return report.price - _funds(report.trades) < highest * COIN_STEP


def _funds(trades: Sequence[Trade]) -> Decimal:
    return sum((trade.funds for trade in trades), Decimal(0))


def _write_fills(order: Order, trades: Sequence[Trade]) -> None:
    known = set(order.fills.values_list("uuid", flat=True))
    new = [
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
    Fill.objects.bulk_create(new)


def _facts(report: ExchangeOrder) -> dict[str, Any]:
    return {
        "found": True,
        "uuid": report.uuid,
        "state": report.state,
        "executed_volume": f"{report.executed_volume:f}",
        "paid_fee": f"{report.paid_fee:f}",
        "trades": report.trades_count,
    }
