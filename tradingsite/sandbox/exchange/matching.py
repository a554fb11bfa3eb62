"""How an order meets the book: what it takes, at which prices, and what becomes of the rest (E13-E16)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid5

from tradingsite.sandbox.exchange.orders import Order, Trade

_DECIMALS = 8
_UNIT = Decimal("1e-8")


class Offer(NamedTuple):
    """What rests at one price of the book, or the part of it that is taken."""

    price: Decimal
    volume: Decimal


@dataclass(frozen=True)
class OrderStep:
    """What happens to an order at one moment: trades, then its state. `cancel` may follow trades."""

    at_ms: int
    uuid: str
    trades: tuple[Trade, ...]
    state: str


def meets_book(order: Order, offers: Iterable[Offer], at_ms: int) -> OrderStep:
    """Return what happens when a fresh order meets the other side of the book, best offer first."""
    wanted = _wanted(order)
    taken = tuple(_taken(order, _acceptable(order, offers), wanted))
    left = wanted - sum((_use(order, offer) for offer in taken), Decimal())
    if _is_refused_by_its_condition(order, taken, left):
        return OrderStep(at_ms, order.uuid, (), "cancel")
    trades = tuple(traded(order, number, offer, at_ms) for number, offer in enumerate(taken))
    if order.plan == "partial_then_cancel" or (left and not _may_rest(order)):
        return OrderStep(at_ms, order.uuid, trades, "cancel")
    return OrderStep(at_ms, order.uuid, trades, "wait" if left else "done")


def traded(order: Order, number: int, offer: Offer, at_ms: int) -> Trade:
    """Return the order's trade of that number; its name follows from the order's, so a replay repeats it."""
    return Trade(str(uuid5(UUID(order.uuid), str(number))), at_ms, offer.price, offer.volume)


def floored_quotient(amount: Decimal, divisor: Decimal) -> Decimal:
    """Divide and cut to eight decimals, towards zero."""
    return (amount.scaleb(_DECIMALS) // divisor).scaleb(-_DECIMALS)


def _wanted(order: Order) -> Decimal:
    """Return the total of an order by total, the volume of any other; half of it under the fault."""
    whole = order.total if order.volume is None else order.volume
    return floored_quotient(whole, Decimal(2)) if order.plan == "partial_then_cancel" else whole


def _acceptable(order: Order, offers: Iterable[Offer]) -> Iterator[Offer]:
    for number, offer in enumerate(offers):
        if order.ord_type == "best" and number:
            return  # only the best price
        if order.ord_type == "limit" and not crosses(order, offer.price):
            return
        yield offer


def crosses(order: Order, price: Decimal) -> bool:
    """Whether a limit order would trade at this price."""
    limit = order.price or Decimal()
    return price <= limit if order.side == "bid" else price >= limit


def _taken(order: Order, offers: Iterable[Offer], left: Decimal) -> Iterator[Offer]:
    """Walk the offers; what is bought by total is floored to eight decimals at each price."""
    for price, there in offers:
        affordable = left if order.volume is not None else floored_quotient(left, price)
        offer = Offer(price, min(there, affordable))
        if not offer.volume:
            return
        yield offer
        left -= _use(order, offer)


def _use(order: Order, offer: Offer) -> Decimal:
    return offer.volume if order.volume is not None else offer.price * offer.volume


def _is_refused_by_its_condition(order: Order, taken: tuple[Offer, ...], left: Decimal) -> bool:
    if order.time_in_force == "post_only":
        return bool(taken)  # it would have taken
    if order.time_in_force != "fok":
        return False
    if order.volume is not None:
        return bool(left)
    return not taken or left >= taken[-1].price * _UNIT  # the rest could have bought something


def _may_rest(order: Order) -> bool:
    return order.ord_type == "limit" and order.time_in_force in {None, "post_only"}
