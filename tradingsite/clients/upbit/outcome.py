"""What is known about an order after trying to place it: accepted, refused, never sent, or unknown.

Rules: docs/upbit-client.md U14, U15.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from tradingsite.clients.errors import ClientError
from tradingsite.clients.response import Answer, value
from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.refusals import explain

_ORDER = TypeAdapter(ExchangeOrder)
_DUPLICATE_WORDS = ("identifier", "duplicate", "식별자", "중복")
"""Words of an error about an identifier that was used before; Upbit does not document its name."""


@dataclass(frozen=True)
class Accepted:
    """Upbit took the order: it exists. `order` is its state at that moment, usually without a fill yet."""

    order: ExchangeOrder


@dataclass(frozen=True)
class OrderRefused:
    """Upbit refused the order, so it does not exist. Its identifier is used up all the same.

    Attributes:
        name: Upbit's error name, e.g. "insufficient_funds_bid"; "429" if a 429 has none.
        message: Upbit's message, one line.
        status: the HTTP status.
    """

    name: str
    message: str
    status: int


@dataclass(frozen=True)
class NeverSent:
    """Not one byte of the order was sent, so it does not exist. `reason` is for people."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """The order may or may not exist: only reading it from Upbit can tell. `reason` is for people."""

    reason: str


Outcome = Accepted | OrderRefused | NeverSent | Unknown


def outcome(answer: Answer, request: OrderRequest) -> Outcome:
    """Return what the answer to the POST of `request` proves."""
    if 200 <= answer.status < 300:
        return _accepted(answer, request)
    refusal = explain(answer)
    unproven = Unknown(f"{answer.what}: {answer.status}: {refusal.message}")
    if not 400 <= answer.status < 500 or answer.status in {408, 409, 418}:
        return unproven
    if refusal.name is None:
        limited = answer.status == 429 and bool(answer.text())
        return OrderRefused("429", refusal.message, 429) if limited else unproven
    words = f"{refusal.name} {refusal.message}".lower()
    if any(word in words for word in _DUPLICATE_WORDS):
        return unproven
    return OrderRefused(refusal.name, refusal.message, answer.status)


def _accepted(answer: Answer, request: OrderRequest) -> Outcome:
    try:
        order = value(answer, _ORDER, explain)
    except ClientError as error:
        return Unknown(str(error))
    wanted = (request.identifier, request.market, request.side, request.ord_type)
    if (order.identifier, order.market, order.side, order.ord_type) != wanted:
        return Unknown(f"{answer.what}: {answer.status}, but the order in the answer is not ours")
    return Accepted(order)
