"""The reconciliation: what is open is looked up until evidence says what became of it (O12 to O18)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog
from django.db import transaction

from tradingsite.clients.errors import ClientError
from tradingsite.clients.upbit import UpbitExchange
from tradingsite.orders import evidence, intents, lost, placing, strangers
from tradingsite.orders.models import Order, State, SyncRound

logger = structlog.get_logger(__name__)


def sync(client: UpbitExchange, at: datetime) -> Mapping[str, int]:
    """Look at every order whose outcome is open, of whatever age; then at what others did.

    An order that the exchange does not tell about keeps no other from being looked at, or given up.
    Counts: orders `looked` at, `ended`, `lost` among these, `busy` ones that somebody is just sending, and
    `strangers`, what the trader did not cause.

    Raises:
        ClientError: the exchange did not answer everything; what it did answer is written.
    """
    counts = Counter(dict.fromkeys(("looked", "ended", "lost", "busy", "strangers"), 0))
    missing = list[int]()
    active = list(Order.objects.active().order_by("pk").values_list("pk", flat=True))
    failures = _for_each(active, lambda key: counts.update([_look(client, key, at, missing)]))
    balances = client.accounts()
    failures += _for_each(missing, lambda key: counts.update(lost=lost.give_up(client, key, balances, at)))
    if failures:
        raise failures[0]
    found = strangers.notice(client, balances, at)
    shown = {each["uuid"] for each in found if each["kind"] == "lost_order"}
    back = lost.find_again(client, shown, at)
    if back:  # what they moved is explained now
        found = [each for each in found if each["uuid"] in back] + strangers.notice(client, balances, at)
    counts["looked"] += counts["ended"]
    counts["ended"] += counts["lost"]
    counts["strangers"] = len(found)
    for stranger in found:
        logger.warning("sync.stranger", kind=stranger["kind"], text=stranger["text"])
    facts = {"looked": counts["looked"], "resolved": counts["ended"], "strangers": found}
    SyncRound.objects.update_or_create(at=at, defaults=facts)
    return counts


def _for_each(keys: Iterable[int], act: Callable[[int], None]) -> list[ClientError]:
    """Act on all and return the failures of the exchange. While it bans us, the client asks nothing (U11)."""
    failures = list[ClientError]()
    for key in keys:
        try:
            act(key)
        except ClientError as error:
            failures.append(error)
    return failures


def _look(client: UpbitExchange, key: int, at: datetime, missing: list[int]) -> str:
    """Look one order up and write what is told; return what to count it as."""
    with transaction.atomic():
        order = lost.unlocked(key)
        if order is None:
            return "busy"
        if order.state == State.SUBMITTING and _abandoned(order, at):
            order.reason = "its sender ended before the outcome was written"
            intents.move(order, State.UNKNOWN, at, {"sender": "gone"})
    told = placing.look_up(client, order)
    with transaction.atomic():
        order = lost.unlocked(key)
        if order is None:
            return "busy"
        if told is not None:
            evidence.apply(order, told, at)
        else:
            lost.not_found(order, at)
            missing.append(key)
        return "ended" if order.has_ended else "looked"


def _abandoned(order: Order, at: datetime) -> bool:
    # Its row is not locked. But a sender may just be about to lock it, or lost the database in mid-sending.
    return at - order.created_at >= placing.SENT_BY
