"""Fills the sandbox's orders from another exchange's order book, for paper trading.

Rules: docs/sandbox-faults.md SF19.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import monotonic
from typing import Any
from urllib.parse import quote

import requests

from tradingsite.sandbox.exchange.matching import Offer, crosses
from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.quotation.relay import Relay

_BOOK_MAX_AGE_S = 5.0
_Units = Sequence[Mapping[str, Any]]


class RelayVenue:
    """The other exchange's order book, always as it is now: past books are not available.

    If the exchange does not answer, its last book is used for up to 5 s, after that there are no offers.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._books: dict[str, tuple[float, _Units]] = {}

    def offers(self, market: str, side: str, at_ms: int) -> Sequence[Offer]:
        taken = "ask" if side == "bid" else "bid"
        offers = [
            Offer(_exact(unit[f"{taken}_price"]), _exact(unit[f"{taken}_size"]))
            for unit in self._units(market)
        ]
        return [offer for offer in offers if offer.price > 0 and offer.volume > 0]

    def reached_ms(self, order: Order, after_ms: int, until_ms: int) -> int | None:
        """Return `until_ms` if the book reaches the resting order's price now."""
        best = next(iter(self.offers(order.market, order.side, until_ms)), None)
        return until_ms if best and crosses(order, best.price) else None

    def _units(self, market: str) -> _Units:
        try:
            answer = self._relay.get(f"/v1/orderbook?markets={quote(market)}")
            answer.raise_for_status()
            [book] = json.loads(answer.content, parse_float=Decimal)
            units: _Units = book["orderbook_units"]
        except (requests.RequestException, ValueError, KeyError, TypeError):
            seen_at, units = self._books.get(market, (0.0, ()))
            return units if monotonic() - seen_at < _BOOK_MAX_AGE_S else ()
        self._books[market] = monotonic(), units
        return units


def _exact(number: object) -> Decimal:
    return Decimal(str(number))
