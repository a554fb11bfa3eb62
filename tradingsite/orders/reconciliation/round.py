"""The reconciliation: what is open is looked up until evidence says what became of it (O12 to O18)."""

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
    """Look at every order whose outcome is open, of whatever age; then at what others did.

    It begins up to `submission.SENT_BY` later than `at` when only so it can judge an order.

    A failed look at one order does not keep others from being looked at, or given up.
    Counts: orders `looked` at, `ended`, `lost` among these, `busy` ones that another process is sending, and
    `external`, what the trader did not cause.

    Raises:
        ClientError: the exchange did not answer everything; what it did answer is written.
    """
    at = _once_ripe(at, clock)
    counts = Counter(dict.fromkeys(("looked", "ended", "lost", "busy", "external"), 0))
    missing = list[int]()
    active = list(Order.objects.active().order_by("pk").values_list("pk", flat=True))
    failures = _for_each(active, lambda key: counts.update([_look(client, key, at, missing)]))
    balances = client.accounts()
    failures += _for_each(
        missing, lambda key: counts.update(lost=lost_orders.give_up(client, key, balances, at))
    )
    if failures:
        raise failures[0]
    found = external_activity.find(client, balances, at)
    shown = {each["uuid"] for each in found if each["kind"] == "lost_order"}
    back = lost_orders.recover_lost(client, shown, at)
    if back:  # what they moved is explained now
        found = [each for each in found if each["uuid"] in back] + external_activity.find(
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


def _once_ripe(at: datetime, clock: Clock) -> datetime:
    """Wait while a moment's patience saves an order another round; return the moment then."""
    latest = at + submission.SENT_BY
    while at < latest and (_maybe_being_sent(at) or lost_orders.any_ripe_between(at, latest)):
        clock.sleep(_STEP_S)
        at += timedelta(seconds=_STEP_S)
    return at


def _maybe_being_sent(at: datetime) -> bool:
    """Tell whether an intent is neither being sent (its row would be locked) nor surely abandoned."""
    with transaction.atomic():
        unlocked = Order.objects.select_for_update(skip_locked=True).filter(state=OrderState.SUBMITTING)
        return any(not _abandoned(order, at) for order in unlocked)


def _for_each(keys: Iterable[int], act: Callable[[int], None]) -> list[ClientError]:
    """Act on all and return the exchange's failures. During a ban the client sends nothing."""
    failures = list[ClientError]()
    for key in keys:
        try:
            act(key)
        except ClientError as error:
            failures.append(error)
    return failures


def _look(client: UpbitExchange, key: int, at: datetime, missing: list[int]) -> str:
    """Look one order up and write what is reported; return what to count it as."""
    with transaction.atomic():
        order = lost_orders.lock_active(key)
        if order is None:
            return "busy"
        if order.state == OrderState.SUBMITTING and _abandoned(order, at):
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
            lost_orders.not_found(order, at)
            missing.append(key)
        return "ended" if order.has_ended else "looked"


def _abandoned(order: Order, at: datetime) -> bool:
    # Its row is not locked. But a sender may just be about to lock it, or lost the database in mid-sending.
    return at - order.created_at >= submission.SENT_BY
