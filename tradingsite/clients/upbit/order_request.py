"""An order to be placed, and the request body that Upbit expects for it (docs/upbit-client.md U16)."""

import re
from dataclasses import dataclass
from decimal import Decimal

from tradingsite.amounts import exact
from tradingsite.clients.errors import NotSent
from tradingsite.clients.upbit.parameters import market_code

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")
_AMOUNTS = {
    ("bid", "limit"): {"price", "volume"},
    ("ask", "limit"): {"price", "volume"},
    ("bid", "price"): {"price"},
    ("ask", "market"): {"volume"},
}
_MAX_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order, to be placed once.

    Attributes:
        side: "bid" buys, "ask" sells.
        ord_type: "price" buys for a total, "market" sells a volume, "limit" does either at a price.
        identifier: ours, of `[A-Za-z0-9_-]`; Upbit accepts each one only once, even if it refused the order.
        price: of a "price" order the KRW total to spend, without the fee; of a "limit" order the unit price.
        volume: in the market's coin.
    """

    market: str
    side: str
    ord_type: str
    identifier: str
    price: Decimal | None = None
    volume: Decimal | None = None


def identifier_text(identifier: str) -> str:
    """Return `identifier`. Raises NotSent for characters that URL and signature would encode differently."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise NotSent(f"identifier {identifier!r}: must be of letters, digits, - and _")
    return identifier


def order_body(request: OrderRequest) -> dict[str, str]:
    """Return the body of the POST, amounts without exponents. Raises NotSent for what Upbit cannot accept."""
    market_code(request.market)
    identifier_text(request.identifier)
    kind = (request.side, request.ord_type)
    if kind not in _AMOUNTS:
        raise NotSent(f"a {request.ord_type!r} order of side {request.side!r}: not supported")
    given = {"price": request.price, "volume": request.volume}
    amounts = {name: _plain(name, amount) for name, amount in given.items() if amount is not None}
    if set(amounts) != _AMOUNTS[kind]:
        raise NotSent(f"a {request.ord_type!r} order of side {request.side!r}: needs {_AMOUNTS[kind]} only")
    if request.ord_type == "price" and request.market.startswith("KRW-") and "." in amounts["price"]:
        raise NotSent(f"price {amounts['price']}: the total must be in whole KRW")
    return {
        "market": request.market,
        "side": request.side,
        "ord_type": request.ord_type,
        **amounts,
        "identifier": request.identifier,
    }


def _plain(name: str, amount: Decimal) -> str:
    if not amount.is_finite() or amount <= 0:
        raise NotSent(f"{name} {amount}: must be above 0")
    text = exact(amount)  # str() may give 1E-8
    if len(text.partition(".")[2]) > _MAX_DECIMALS:
        raise NotSent(f"{name} {text}: must have at most {_MAX_DECIMALS} decimals")
    return text
