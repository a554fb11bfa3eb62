"""Matches an order against the order book: what it fills, at which prices, and what happens to the rest.

Rules: docs/sandbox-exchange.md E13-E16.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid5

from tradingsite.sandbox.exchange.orders import Order, Trade

_DECIMALS = 8
_UNIT = Decimal("1e-8")


class Offer(NamedTuple):
    """The volume at one price of the order book, or the part of it that an order takes."""

    price: Decimal
    volume: Decimal


@dataclass(frozen=True)
class OrderStep:
    """What happens to an order at one time: trades, then its new state ("cancel" may follow trades)."""

    at_ms: int
    uuid: str
    trades: tuple[Trade, ...]
    state: str


def match_order(order: Order, offers: Iterable[Offer], at_ms: int) -> OrderStep:
    """Return what happens when a new order is matched against the other side's offers, best first."""
    target = _target(order)
    taken = tuple(_taken(order, _acceptable(order, offers), target))
    remaining = target - sum((_cost(order, offer) for offer in taken), Decimal())
    if _violates_time_in_force(order, taken, remaining):
        return OrderStep(at_ms, order.uuid, (), "cancel")
    trades = tuple(make_trade(order, number, offer, at_ms) for number, offer in enumerate(taken))
    if order.plan == "partial_then_cancel" or (remaining and not _may_rest(order)):
        return OrderStep(at_ms, order.uuid, trades, "cancel")
    return OrderStep(at_ms, order.uuid, trades, "wait" if remaining else "done")


def make_trade(order: Order, number: int, offer: Offer, at_ms: int) -> Trade:
    """Return the order's trade with that number.

    Its uuid derives from the order's, so a replay repeats it.
    """
    return Trade(str(uuid5(UUID(order.uuid), str(number))), at_ms, offer.price, offer.volume)


def divide_floor(amount: Decimal, divisor: Decimal) -> Decimal:
    """Divide and truncate to eight decimals, towards zero."""
    return (amount.scaleb(_DECIMALS) // divisor).scaleb(-_DECIMALS)


def _target(order: Order) -> Decimal:
    """Return how much to fill: a total or a volume; half of it if the partial-fill fault applies."""
    whole = order.total if order.volume is None else order.volume
    return divide_floor(whole, Decimal(2)) if order.plan == "partial_then_cancel" else whole


def _acceptable(order: Order, offers: Iterable[Offer]) -> Iterator[Offer]:
    for number, offer in enumerate(offers):
        if order.ord_type == "best" and number:
            return  # only the best price
        if order.ord_type == "limit" and not crosses(order, offer.price):
            return
        yield offer


def crosses(order: Order, price: Decimal) -> bool:
    """Return whether a limit order would trade at this price."""
    limit = order.price or Decimal()
    return price <= limit if order.side == "bid" else price >= limit


def _taken(order: Order, offers: Iterable[Offer], remaining: Decimal) -> Iterator[Offer]:
    """Yield what the order takes of each offer; a buy by total truncates to eight decimals at each price."""
    for price, available in offers:
        affordable = remaining if order.volume is not None else divide_floor(remaining, price)
        offer = Offer(price, min(available, affordable))
        if not offer.volume:
            return
        yield offer
        remaining -= _cost(order, offer)


def _cost(order: Order, offer: Offer) -> Decimal:
    return offer.volume if order.volume is not None else offer.price * offer.volume


def _violates_time_in_force(order: Order, taken: tuple[Offer, ...], remaining: Decimal) -> bool:
    if order.time_in_force == "post_only":
        return bool(taken)  # it would have traded at once
    if order.time_in_force != "fok":
        return False
    if order.volume is not None:
        return bool(remaining)
    return not taken or remaining >= taken[-1].price * _UNIT  # the remainder could have bought more


def _may_rest(order: Order) -> bool:
    return order.ord_type == "limit" and order.time_in_force in {None, "post_only"}
