"""Gives up orders that the exchange does not have, once that is proven, and recovers those that turn up.

Rules: docs/orders.md O14-O18.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction

from tradingsite.amounts import exact
from tradingsite.orders.execution import exchange_report, intents
from tradingsite.orders.execution.gate_inputs import expected_coins
from tradingsite.orders.execution.submission import SEND_DEADLINE
from tradingsite.orders.models import ACTIVE_STATES, Order, OrderEvent, OrderState
from tradingsite.orders.portfolio import account

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

logger = structlog.get_logger(__name__)

LOOKUPS_NEEDED = 3
MIN_SEARCH_TIME = timedelta(minutes=10)
MIN_LOOKUP_INTERVAL = timedelta(minutes=1)
"""Lookups closer together count as one."""
LOST_RECHECKED_FOR = timedelta(days=1)
"""How long lost orders are looked up by identifier: the exchange lists only open and new orders."""


def lock_active(key: int) -> Order | None:
    """Lock an active order's row; None if it has ended, or another process has it locked."""
    rows = Order.objects.select_for_update(skip_locked=True)
    return rows.filter(pk=key, state__in=ACTIVE_STATES).first()


def record_not_found(order: Order, at: datetime) -> None:
    """Record that the exchange has no such order. The caller has locked the row."""
    if order.uuid:
        logger.error("order.vanished", order=order.identifier, state=order.state)
    intents.record_lookup(order, at, {"found": False})


def may_be_given_up_by(at: datetime, latest: datetime) -> bool:
    """Return whether an order not found at `at` could be given up later, but by `latest`."""
    for order in Order.objects.filter(state=OrderState.UNKNOWN):
        lookups = _spaced([*_failed_lookups(order), at])
        if len(lookups) >= LOOKUPS_NEEDED and at < lookups[0] + MIN_SEARCH_TIME <= latest:
            return True
    return False


def give_up(client: UpbitExchange, key: int, balances: list[Balance], at: datetime) -> bool:
    """Make an order that this round did not find LOST, if that is proven; return whether it is.

    Args:
        client: for our account; the order lists are read before an order is given up.
        key: of an order for which `record_not_found` was just called.
        balances: read after that lookup.
        at: the time of the round.

    Raises:
        ClientError: no usable answer; the order stays as it is.
    """
    order = Order.objects.get(pk=key)
    if order.state != OrderState.UNKNOWN or not _searched_long_enough(order, at):
        return False
    facts = _coin_facts(order, balances)
    listed = facts["coins"] == facts["coins_expected"] and _is_listed(client, order, at)
    with transaction.atomic():
        locked = lock_active(key)
        if locked is None or locked.state != OrderState.UNKNOWN:
            return False
        if listed or facts["coins"] != facts["coins_expected"]:
            logger.warning("order.not_given_up", order=order.identifier, listed=listed, **facts)
            return False
        locked.reason = "never arrived: not found, and no coin moved"
        intents.transition(locked, OrderState.LOST, at, {"found": False, **facts})
        return True


class NotGivenUp(Exception):
    """The order cannot be given up manually; the text says why."""


def give_up_by_hand(client: UpbitExchange, identifier: str, by: str, reason: str, at: datetime) -> None:
    """Make an order LOST although the balance proves nothing, because a person explains the difference.

    Args:
        client: for our account; the order lists are read once more.
        identifier: of an UNKNOWN order that was looked up for long enough.
        by: who takes responsibility.
        reason: what moved the coins.
        at: the current time.

    Raises:
        NotGivenUp: nothing was changed.
        ClientError: no usable answer.
    """
    order = Order.objects.filter(identifier=identifier).first()
    if order is None or order.state != OrderState.UNKNOWN:
        raise NotGivenUp(f"{identifier} is not an UNKNOWN order of ours")
    if not _searched_long_enough(order, at):
        raise NotGivenUp(f"{identifier} was not looked up for long enough: the reconciliation continues")
    if _is_listed(client, order, at):
        raise NotGivenUp(f"{identifier} exists at the exchange: the reconciliation will find it")
    with transaction.atomic():
        locked = lock_active(order.pk)
        if locked is None or locked.state != OrderState.UNKNOWN:
            raise NotGivenUp(f"another process is working on {identifier}: try again")
        locked.reason = f"given up by {by}: {reason}"
        intents.transition(locked, OrderState.LOST, at, {"found": False, "by": by, "reason": reason})


def recover_lost(client: UpbitExchange, uuids: Iterable[str], at: datetime) -> set[str]:
    """Reactivate orders that were given up but exist; return their uuids.

    Args:
        client: for our account; reads all recently lost orders in one request.
        uuids: of lost orders that a list of the exchange showed.
        at: the time of the round.

    Raises:
        ClientError: no usable answer about one.
    """
    recovered = set[str]()
    recent = Order.objects.filter(state=OrderState.LOST, ended_at__gt=at - LOST_RECHECKED_FOR)
    names = list(recent.values_list("identifier", flat=True))
    exchange_orders = client.orders(identifiers=names) if names else []
    for uuid in {*uuids, *(each.uuid for each in exchange_orders)}:
        report = client.order(uuid=uuid)
        with transaction.atomic():
            order = Order.objects.select_for_update().filter(identifier=report.identifier).first()
            if order is not None and order.state == OrderState.LOST:
                exchange_report.apply_report(order, report, at)
                recovered |= {uuid} if order.state != OrderState.LOST else set()
    return recovered


def _searched_long_enough(order: Order, at: datetime) -> bool:
    lookups = _spaced(_failed_lookups(order))
    return len(lookups) >= LOOKUPS_NEEDED and at - lookups[0] >= MIN_SEARCH_TIME


def _failed_lookups(order: Order) -> Iterable[datetime]:
    # Lookups before it was UNKNOWN do not count: the order could still have been sent afterwards.
    nothing_found = order.events.filter(
        what=OrderEvent.What.LOOKED, state_before=OrderState.UNKNOWN, evidence__found=False
    )
    return nothing_found.order_by("at").values_list("at", flat=True)


def _spaced(lookups: Iterable[datetime]) -> list[datetime]:
    counted = list[datetime]()
    for lookup in lookups:
        if not counted or lookup - counted[-1] >= MIN_LOOKUP_INTERVAL:
            counted.append(lookup)
    return counted


def _coin_facts(order: Order, balances: list[Balance]) -> dict[str, Any]:
    # Coins, not won: other markets and deposits change the won, too, but a filled order always changes coins.
    actual, expected = account.total(balances, account.coin(order.market)), expected_coins(order)
    return {"coins": _exact_text(actual), "coins_expected": _exact_text(expected)}


def _exact_text(amount: Decimal | None) -> str:
    return "?" if amount is None else exact(amount)


def _is_listed(client: UpbitExchange, order: Order, at: datetime) -> bool:
    exchange_orders = [
        *client.orders(identifiers=[order.identifier]),
        *client.open_orders(market=order.market),
        *client.closed_orders(market=order.market, start=order.created_at - SEND_DEADLINE, end=at),
    ]
    return any(each.identifier == order.identifier for each in exchange_orders)
