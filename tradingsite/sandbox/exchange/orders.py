"""Orders and trades of the sandbox's exchange, and their form in the state file.

Rules: docs/sandbox-exchange.md E10, E11.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Literal

FillPlan = Literal["normal", "partial_then_cancel", "never"]
"""How an order will be filled: normally, by half and then cancelled, or never."""

_MONEY = ("price", "volume", "fee_rate", "reserved_fee")


@dataclass(frozen=True)
class Trade:
    """One fill of an order, at one price of the order book."""

    uuid: str
    at_ms: int
    price: Decimal
    volume: Decimal

    @property
    def funds(self) -> Decimal:
        return self.price * self.volume


@dataclass(frozen=True)
class Order:
    """One accepted order. Immutable: a change replaces it.

    `price` is the total if the order buys by total (`ord_type` "price", or "best" on the bid side). `due_ms`
    is when it is matched, None for never; if it still waits after that it is `resting` in the order book.
    `cancel_ms` is when a requested cancellation takes effect.
    """

    uuid: str
    market: str
    side: str
    ord_type: str
    created_ms: int
    fee_rate: Decimal
    reserved_fee: Decimal
    smp_type: str
    price: Decimal | None = None
    volume: Decimal | None = None
    identifier: str | None = None
    time_in_force: str | None = None
    plan: FillPlan = "normal"
    due_ms: int | None = None
    cancel_ms: int | None = None
    resting: bool = False
    state: str = "wait"
    trades: tuple[Trade, ...] = ()

    @property
    def by_total(self) -> bool:
        return self.volume is None

    @property
    def reserved(self) -> Decimal:
        """Locked at acceptance, including the fee: quote currency for a bid, coins for an ask."""
        if self.side == "ask":
            return _required_amount(self.volume)
        return self.total + self.reserved_fee

    @property
    def total(self) -> Decimal:
        """The most that a bid may spend, without the fee."""
        return (
            _required_amount(self.price)
            if self.by_total
            else _required_amount(self.price) * _required_amount(self.volume)
        )

    @property
    def locked(self) -> Decimal:
        """The part of `reserved` that is neither spent nor sold."""
        spent = self.executed_volume if self.side == "ask" else self.executed_funds + self.paid_fee
        return self.reserved - spent

    @property
    def executed_volume(self) -> Decimal:
        return sum((trade.volume for trade in self.trades), Decimal())

    @property
    def executed_funds(self) -> Decimal:
        return sum((trade.funds for trade in self.trades), Decimal())

    @property
    def paid_fee(self) -> Decimal:
        """The funds times the fee rate, not rounded."""
        return self.executed_funds * self.fee_rate

    @property
    def remaining_volume(self) -> Decimal | None:
        return None if self.volume is None else self.volume - self.executed_volume


def as_record(order: Order) -> dict[str, Any]:
    """Return the order for the state file; `from_record` is the inverse."""
    return asdict(order)


def from_record(record: Mapping[str, Any]) -> Order:
    known = {field.name: record[field.name] for field in fields(Order)}
    amounts = {name: None if known[name] is None else Decimal(known[name]) for name in _MONEY}
    trades = tuple(
        Trade(trade["uuid"], trade["at_ms"], Decimal(trade["price"]), Decimal(trade["volume"]))
        for trade in known["trades"]
    )
    return Order(**{**known, **amounts, "trades": trades})


def _required_amount(amount: Decimal | None) -> Decimal:
    if amount is None:
        raise ValueError("the order was accepted without an amount that its kind needs")
    return amount
