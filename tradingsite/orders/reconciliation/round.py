"""The reconciliation: looks up every active order at the exchange until its outcome is known.

Rules: docs/orders.md O12-O18.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock
from tradingsite.clients.errors import ClientError
from tradingsite.orders.execution import exchange_report, intents, submission
from tradingsite.orders.models import Order, OrderState, SyncRound
from tradingsite.orders.reconciliation import external_activity, lost_orders

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange

logger = structlog.get_logger(__name__)

_STEP_S = 1.0


def reconcile(client: UpbitExchange, at: datetime, *, clock: Clock = SYSTEM_CLOCK) -> Mapping[str, int]:
    """Look up every active order, of any age; then look for external activity.

    It waits up to `submission.SEND_DEADLINE` after `at` if only then an order can be decided. A failed lookup
    of one order does not prevent the others.

    Returns counts: orders `looked` up, `ended`, `lost` (part of `ended`), `busy` because another process is
    sending them, and `external` activities.

    Raises:
        ClientError: the exchange did not answer everything; what it did answer is stored.
    """
    at = _wait_until_decidable(at, clock)
    counts = Counter(dict.fromkeys(("looked", "ended", "lost", "busy", "external"), 0))
    missing = list[int]()
    active = list(Order.objects.active().order_by("pk").values_list("pk", flat=True))
    failures = _for_each(active, lambda key: counts.update([_look_up_order(client, key, at, missing)]))
    balances = client.accounts()
    failures += _for_each(
        missing, lambda key: counts.update(lost=lost_orders.give_up(client, key, balances, at))
    )
    if failures:
        raise failures[0]
    found = external_activity.find(client, balances, at)
    lost_uuids = {each["uuid"] for each in found if each["kind"] == "lost_order"}
    recovered = lost_orders.recover_lost(client, lost_uuids, at)
    if recovered:  # their fills now explain balance changes
        found = [each for each in found if each["uuid"] in recovered] + external_activity.find(
            client, balances, at
        )
    counts["looked"] += counts["ended"]
    counts["ended"] += counts["lost"]
    counts["external"] = len(found)
    for activity in found:
        logger.warning("sync.stranger", kind=activity["kind"], text=activity["text"])
    facts = {"looked": counts["looked"], "resolved": counts["ended"], "strangers": found}
    SyncRound.objects.update_or_create(at=at, defaults=facts)
    return counts


def _wait_until_decidable(at: datetime, clock: Clock) -> datetime:
    """Wait a few seconds if an order can then be decided in this round; return the time afterwards."""
    latest = at + submission.SEND_DEADLINE
    while at < latest and (_may_be_in_flight(at) or lost_orders.may_be_given_up_by(at, latest)):
        clock.sleep(_STEP_S)
        at += timedelta(seconds=_STEP_S)
    return at


def _may_be_in_flight(at: datetime) -> bool:
    """Return whether an order is neither being sent (then its row is locked) nor surely abandoned."""
    with transaction.atomic():
        unlocked = Order.objects.select_for_update(skip_locked=True).filter(state=OrderState.SUBMITTING)
        return any(not _is_abandoned(order, at) for order in unlocked)


def _for_each(keys: Iterable[int], action: Callable[[int], None]) -> list[ClientError]:
    """Apply `action` to all and return the client errors. During a ban the client sends nothing."""
    failures = list[ClientError]()
    for key in keys:
        try:
            action(key)
        except ClientError as error:
            failures.append(error)
    return failures


def _look_up_order(client: UpbitExchange, key: int, at: datetime, missing: list[int]) -> str:
    """Look up one order and apply the report; return what to count it as."""
    with transaction.atomic():
        order = lost_orders.lock_active(key)
        if order is None:
            return "busy"
        if order.state == OrderState.SUBMITTING and _is_abandoned(order, at):
            order.reason = "its sender ended before the outcome was written"
            intents.transition(order, OrderState.UNKNOWN, at, {"sender": "gone"})
    report = submission.look_up(client, order)
    with transaction.atomic():
        order = lost_orders.lock_active(key)
        if order is None:
            return "busy"
        if report is not None:
            exchange_report.apply_report(order, report, at)
        else:
            lost_orders.record_not_found(order, at)
            missing.append(key)
        return "ended" if order.has_ended else "looked"


def _is_abandoned(order: Order, at: datetime) -> bool:
    # An unlocked row is no proof: a sender may be about to lock it, or may have lost the database.
    return at - order.created_at >= submission.SEND_DEADLINE
