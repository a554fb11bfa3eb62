"""What the exchange does not show: given up on evidence only, taken back when it shows up (O14 to O18)."""

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
from tradingsite.orders.execution.submission import SENT_BY
from tradingsite.orders.models import ACTIVE_STATES, Order, OrderEvent, OrderState
from tradingsite.orders.portfolio import account

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

logger = structlog.get_logger(__name__)

LOOKS_NEEDED = 3
LOOKING_FOR = timedelta(minutes=10)
LOOKS_APART = timedelta(minutes=1)
"""Two looks that are closer together count as one."""
ASKED_FOR_AFTERWARDS = timedelta(days=1)
"""A list of orders shows what is open or new; what was given up and is neither is looked up by name."""


def lock_active(key: int) -> Order | None:
    """Lock an active order's row; None when it has ended, or while another process has it locked."""
    rows = Order.objects.select_for_update(skip_locked=True)
    return rows.filter(pk=key, state__in=ACTIVE_STATES).first()


def not_found(order: Order, at: datetime) -> None:
    """Note that the exchange knows no such order. The row is locked by the caller."""
    if order.uuid:
        logger.error("order.vanished", order=order.identifier, state=order.state)
    intents.record_look(order, at, {"found": False})


def any_ripe_between(at: datetime, latest: datetime) -> bool:
    """Tell whether an order that is not found at `at` could be given up only later, by `latest` at most."""
    for order in Order.objects.filter(state=OrderState.UNKNOWN):
        looks = _apart([*_looks(order), at])
        if len(looks) >= LOOKS_NEEDED and at < looks[0] + LOOKING_FOR <= latest:
            return True
    return False


def give_up(client: UpbitExchange, key: int, balances: list[Balance], at: datetime) -> bool:
    """Return whether an order that this round did not find is LOST now.

    Args:
        client: of the account; another kind of look is made before an order is given up.
        key: of an order that `not_found` was just noted of.
        balances: read after that look.
        at: the moment of the round.

    Raises:
        ClientError: no usable answer; the order stays as it is.
    """
    order = Order.objects.get(pk=key)
    if order.state != OrderState.UNKNOWN or not _looked_long_enough(order, at):
        return False
    facts = _coins(order, balances)
    listed = facts["coins"] == facts["coins_expected"] and _listed(client, order, at)
    with transaction.atomic():
        still = lock_active(key)
        if still is None or still.state != OrderState.UNKNOWN:
            return False
        if listed or facts["coins"] != facts["coins_expected"]:
            logger.warning("order.not_given_up", order=order.identifier, listed=listed, **facts)
            return False
        still.reason = "never arrived: not found, and no coin moved"
        intents.transition(still, OrderState.LOST, at, {"found": False, **facts})
        return True


class NotGivenUp(Exception):
    """An order cannot be given up by hand; the text says why."""


def give_up_by_hand(client: UpbitExchange, identifier: str, by: str, reason: str, at: datetime) -> None:
    """Make an order LOST whose coins prove nothing, because a person moved some and says so.

    Args:
        client: of the account; looks once more.
        identifier: of an UNKNOWN order that was looked for long enough.
        by: who vouches for it.
        reason: what moved the coins.
        at: the moment of it.

    Raises:
        NotGivenUp: nothing was changed.
        ClientError: no usable answer.
    """
    order = Order.objects.filter(identifier=identifier).first()
    if order is None or order.state != OrderState.UNKNOWN:
        raise NotGivenUp(f"{identifier} is no order of ours that is UNKNOWN")
    if not _looked_long_enough(order, at):
        raise NotGivenUp(f"{identifier} was not looked for long enough: the reconciliation goes on with it")
    if _listed(client, order, at):
        raise NotGivenUp(f"{identifier} exists at the exchange: the reconciliation will find it")
    with transaction.atomic():
        still = lock_active(order.pk)
        if still is None or still.state != OrderState.UNKNOWN:
            raise NotGivenUp(f"somebody is just working on {identifier}")
        still.reason = f"given up by {by}: {reason}"
        intents.transition(still, OrderState.LOST, at, {"found": False, "by": by, "reason": reason})


def recover_lost(client: UpbitExchange, uuids: Iterable[str], at: datetime) -> set[str]:
    """Take back what was given up and yet exists; return the uuids of those that were.

    Args:
        client: of the account; reads all that were given up recently, in one request.
        uuids: of orders that a list showed and our books say were given up.
        at: the moment of the round.

    Raises:
        ClientError: no usable answer about one.
    """
    back = set[str]()
    recent = Order.objects.filter(state=OrderState.LOST, ended_at__gt=at - ASKED_FOR_AFTERWARDS)
    names = list(recent.values_list("identifier", flat=True))
    shown = client.orders(identifiers=names) if names else []
    for uuid in {*uuids, *(each.uuid for each in shown)}:
        report = client.order(uuid=uuid)
        with transaction.atomic():
            order = Order.objects.select_for_update().filter(identifier=report.identifier).first()
            if order is not None and order.state == OrderState.LOST:
                exchange_report.apply_report(order, report, at)
                back |= {uuid} if order.state != OrderState.LOST else set()
    return back


def _looked_long_enough(order: Order, at: datetime) -> bool:
    looks = _apart(_looks(order))
    return len(looks) >= LOOKS_NEEDED and at - looks[0] >= LOOKING_FOR


def _looks(order: Order) -> Iterable[datetime]:
    # Looks before it was UNKNOWN may have been too early: it could still be sent.
    nothing_found = order.events.filter(
        what=OrderEvent.What.LOOKED, state_before=OrderState.UNKNOWN, evidence__found=False
    )
    return nothing_found.order_by("at").values_list("at", flat=True)


def _apart(looks: Iterable[datetime]) -> list[datetime]:
    counted = list[datetime]()
    for look in looks:
        if not counted or look - counted[-1] >= LOOKS_APART:
            counted.append(look)
    return counted


def _coins(order: Order, balances: list[Balance]) -> dict[str, Any]:
    # Not won: every other market moves them, and so does a deposit. An order that was filled moved coins.
    there, expected = account.total(balances, account.coin(order.market)), expected_coins(order)
    return {"coins": _plain(there), "coins_expected": _plain(expected)}


def _plain(amount: Decimal | None) -> str:
    return "?" if amount is None else exact(amount)


def _listed(client: UpbitExchange, order: Order, at: datetime) -> bool:
    shown = [
        *client.orders(identifiers=[order.identifier]),
        *client.open_orders(market=order.market),
        *client.closed_orders(market=order.market, start=order.created_at - SENT_BY, end=at),
    ]
    return any(each.identifier == order.identifier for each in shown)
