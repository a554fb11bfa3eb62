"""The exchange's state in memory, and the changes not yet in the state file.

Rules: docs/sandbox-exchange.md E3, E7, E20-E22.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tradingsite.sandbox.exchange.journal import Journal, Record, StateFileError
from tradingsite.sandbox.exchange.orders import Order, as_record, from_record

STARTING_KRW = Decimal(10_000_000)
_MAX_NONCES = 20_000


@dataclass(frozen=True)
class Purse:
    """The account's balance of one currency. `avg_buy_price` is in the quote currency, without fees."""

    balance: Decimal = Decimal()  # available
    locked: Decimal = Decimal()  # reserved by open orders
    avg_buy_price: Decimal = Decimal()

    @property
    def total(self) -> Decimal:
        return self.balance + self.locked


class Post(NamedTuple):
    """One order POST as it arrived; status 0 if a fault kept it from being processed."""

    at_ms: int
    identifier: str | None
    status: int


class ExchangeState:
    """Orders, balances, identifiers, nonces and order POSTs.

    Call `save` after changes, before the answer is sent.

    Not thread-safe. Without a path nothing is written to disk.

    Raises:
        StateFileError: the file is damaged or in use.
    """

    def __init__(self, path: Path | None) -> None:
        self.orders: dict[str, Order] = {}  # by uuid, oldest first
        self.purses: dict[str, Purse] = {"KRW": Purse(STARTING_KRW)}
        self.posts: list[Post] = []
        self.waiting: dict[str, None] = {}  # uuids of orders that may still change, oldest first
        self._uuids: dict[str, str] = {}  # by identifier
        self._identifiers: dict[str, None] = {}
        self._nonces: dict[str, None] = {}
        self._unsaved: dict[str, Any] = {}
        self._journal = None if path is None else self._opened(path)

    def put_order(self, order: Order) -> None:
        self._place(order)
        self._unsaved.setdefault("orders", {})[order.uuid] = as_record(order)

    def put_purse(self, currency: str, purse: Purse) -> None:
        self.purses[currency] = purse
        self._unsaved.setdefault("purses", {})[currency] = asdict(purse)

    def use_identifier(self, identifier: str) -> bool:
        """Mark an identifier as used for ever; return whether it was free."""
        if identifier in self._identifiers:
            return False
        self._identifiers[identifier] = None
        self._unsaved.setdefault("identifiers", []).append(identifier)
        return True

    def is_identifier_used(self, identifier: str) -> bool:
        return identifier in self._identifiers

    def use_nonce(self, nonce: str) -> bool:
        """Mark a nonce as used; return whether it was new. Only the last 20,000 are remembered."""
        if nonce in self._nonces:
            return False
        self._add_nonce(nonce)
        self._unsaved.setdefault("nonces", []).append(nonce)
        return True

    def add_post(self, post: Post) -> None:
        self.posts.append(post)
        self._unsaved.setdefault("posts", []).append(post)

    def by_identifier(self, identifier: str) -> Order | None:
        uuid = self._uuids.get(identifier)
        return None if uuid is None else self.orders[uuid]

    def save(self) -> None:
        """Write all changes as one line. Changes of orders also wait for the disk."""
        if self._journal and self._unsaved:
            self._journal.append(self._unsaved, durable="orders" in self._unsaved)
        self._unsaved = {}
        if self._journal and self._journal.is_long:
            self._journal.rewrite()

    def close(self) -> None:
        if self._journal:
            self._journal.close()

    def _opened(self, path: Path) -> Journal:
        journal = Journal(path, self._everything)
        try:
            for record in journal.open():
                self._apply(record)
            journal.rewrite()
        except OSError as error:
            journal.close()
            raise StateFileError(f"cannot use the state file {path}: {error}") from error
        except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            journal.close()
            raise StateFileError(f"the state file {path} is damaged: {error!r}") from error
        return journal

    def _everything(self) -> Iterator[Record]:
        yield {
            "purses": {currency: asdict(purse) for currency, purse in self.purses.items()},
            "identifiers": list(self._identifiers),
            "nonces": list(self._nonces),
            "posts": self.posts,
        }
        for uuid, order in self.orders.items():
            yield {"orders": {uuid: as_record(order)}}

    def _apply(self, record: Mapping[str, Any]) -> None:
        for order in record.get("orders", {}).values():
            self._place(from_record(order))
        for currency, purse in record.get("purses", {}).items():
            self.purses[currency] = Purse(**{name: Decimal(amount) for name, amount in purse.items()})
        self._identifiers.update(dict.fromkeys(record.get("identifiers", ())))
        for nonce in record.get("nonces", ()):
            self._add_nonce(nonce)
        self.posts.extend(Post(*post) for post in record.get("posts", ()))

    def _place(self, order: Order) -> None:
        self.orders[order.uuid] = order
        if order.identifier is not None:
            self._uuids[order.identifier] = order.uuid
        if order.state == "wait":
            self.waiting[order.uuid] = None
        else:
            self.waiting.pop(order.uuid, None)

    def _add_nonce(self, nonce: str) -> None:
        self._nonces[nonce] = None
        if len(self._nonces) > _MAX_NONCES:
            del self._nonces[next(iter(self._nonces))]
