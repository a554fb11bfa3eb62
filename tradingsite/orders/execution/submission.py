"""Sends an order, at most once, and looks it up until it is filled (docs/orders.md O5-O9, O14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.errors import ClientError, NotFound
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.outcome import Accepted, NeverSent, OrderRefused, Outcome, Unknown
from tradingsite.orders.execution import exchange_report, intents
from tradingsite.orders.models import Order, OrderState, Side

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder

logger = structlog.get_logger(__name__)

POST_WITHIN_S = 8.0
SEND_WITHIN_S = 10.0
"""From the decision to sending. A process that was frozen longer sends nothing any more."""
SEND_DEADLINE = timedelta(seconds=SEND_WITHIN_S + POST_WITHIN_S + 2)
"""After the order was stored. What was not sent by then never will be; 2 s allow for two different clocks."""
LOOKUP_DELAYS_S = (0.3, 0.4, 0.8, 1.5)
LOOKUP_WITHIN_S = 2.0
"""A market order fills within a second.

What is still open after these lookups is left to the reconciliation.
"""


def submit(
    client: UpbitExchange,
    order: Order,
    *,
    decided: Deadline | None = None,
    may_post: Callable[[], bool] = lambda: True,
    clock: Clock = SYSTEM_CLOCK,
    now: Callable[[], datetime] = timezone.now,
) -> Order:
    """Send a stored order, once, and return it in its state after the first lookups.

    Only the first call for an order sends anything. The row is locked while sending, so that no other process
    judges the order at the same time. If anything fails after sending has begun, the reconciliation resolves
    the order.

    Args:
        client: for our account.
        order: as `intents.record` returned it, its transaction committed.
        decided: until when the decision may be sent; default: `SEND_WITHIN_S` from now.
        may_post: called right before sending; if it returns False nothing is sent.
        clock: for the pauses between lookups.
        now: the time to store.

    Raises:
        RuntimeError: called inside a transaction, whose rollback would lose a sent order.
        django.db.Error: the outcome could not be stored. The order stays SUBMITTING and is never sent again.
    """
    decided = decided or Deadline(SEND_WITHIN_S, clock)
    claimed = _claim(order, now())
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=order.pk)
        if not claimed or order.state != OrderState.SUBMITTING:
            # Already claimed, or the reconciliation has treated it as abandoned and will find nothing.
            logger.warning("order.not_sent", order=order.identifier, state=order.state, claimed=claimed)
            return order
        if decided.left_s() > 0 and may_post():
            outcome = client.place(_request(order), within_s=POST_WITHIN_S)
        else:
            outcome = NeverSent("the decision was too old, or this process may not send orders any more")
        _record_outcome(order, outcome, now())
    if order.state in {OrderState.OPEN, OrderState.UNKNOWN}:
        _poll_until_ended(client, order, clock, now)
    return order


def _claim(order: Order, at: datetime) -> bool:
    """Return whether this process may send the order.

    Committed first, so that a crash afterwards never leads to a second attempt.
    """
    with transaction.atomic(durable=True):
        waiting = Order.objects.filter(pk=order.pk, state=OrderState.SUBMITTING, submitted_at=None)
        return bool(waiting.update(submitted_at=at))


def _request(order: Order) -> OrderRequest:
    buy = order.side == Side.BID
    return OrderRequest(
        market=order.market,
        side=order.side,
        ord_type=order.ord_type,
        identifier=order.identifier,
        price=order.funds if buy else None,
        volume=None if buy else order.volume,
    )


def _record_outcome(order: Order, outcome: Outcome, at: datetime) -> None:
    match outcome:
        case Accepted():
            _record_accepted(order, outcome, at)
        case OrderRefused():
            order.reason = f"{outcome.name}: {outcome.message}"
            facts = {"name": outcome.name, "message": outcome.message, "status": outcome.status}
            intents.transition(order, OrderState.REJECTED, at, facts)
        case NeverSent():
            order.reason = f"never sent: {outcome.reason}"
            intents.transition(order, OrderState.REJECTED, at, {"never_sent": outcome.reason})
        case Unknown():
            order.reason = outcome.reason
            intents.transition(order, OrderState.UNKNOWN, at, {"outcome": outcome.reason})


def _record_accepted(order: Order, outcome: Accepted, at: datetime) -> None:
    report = outcome.order
    try:
        with transaction.atomic():
            order.uuid = report.uuid
            intents.transition(order, OrderState.OPEN, at, {"uuid": report.uuid, "state": report.state})
    except (IntegrityError, DataError) as refused:  # such as a UUID that another order already has
        order.refresh_from_db()
        order.reason = f"accepted, but: {refused}".partition("\n")[0]
        intents.transition(order, OrderState.UNKNOWN, at, {"outcome": order.reason})


def look_up(client: UpbitExchange, order: Order, *, within_s: float | None = None) -> ExchangeOrder | None:
    """Return the exchange's report on `order`; None if it says that the order does not exist.

    Raises:
        ClientError: neither is certain.
    """
    try:
        if order.uuid:
            return client.order(uuid=order.uuid, within_s=within_s)
        return client.order(identifier=order.identifier, within_s=within_s)
    except NotFound:
        return None


def _poll_until_ended(client: UpbitExchange, order: Order, clock: Clock, now: Callable[[], datetime]) -> None:
    for pause_s in LOOKUP_DELAYS_S:
        clock.sleep(pause_s)
        try:
            report = look_up(client, order, within_s=LOOKUP_WITHIN_S)
        except ClientError as error:
            logger.info("order.not_followed", order=order.identifier, error=str(error))
            return
        with transaction.atomic():
            order.refresh_from_db(from_queryset=Order.objects.select_for_update())
            if report is not None:  # otherwise it may still be on its way, so nothing is recorded
                exchange_report.apply_report(order, report, now())
        if order.has_ended:
            return
