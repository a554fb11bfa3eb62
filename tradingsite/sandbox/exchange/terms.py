"""Parses an order request and checks it against the market's limits (docs/sandbox-exchange.md E5, E6)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tradingsite.sandbox.exchange.refusals import Denied, invalid
from tradingsite.sandbox.quotation.markets import Market, markets
from tradingsite.sandbox.quotation.price_grid import E8

_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?")
_IDENTIFIER_LENGTH = 128
_CHOICES = {
    "side": {"bid", "ask"},
    "ord_type": {"limit", "price", "market", "best"},
    "time_in_force": {"ioc", "fok", "post_only"},
    "smp_type": {"cancel_maker", "cancel_taker", "reduce", "none"},
}
_CONDITIONS: Mapping[str, Collection[str | None]] = {
    "limit": (None, "ioc", "fok", "post_only"),
    "best": ("ioc", "fok"),
    "price": (None,),
    "market": (None,),
}


@dataclass(frozen=True)
class Terms:
    """Fee and limits of trading in one quote currency; amounts in that currency."""

    fee_rate: Decimal
    min_total: Decimal
    max_total: Decimal


TERMS: Mapping[str, Terms] = {
    "KRW": Terms(Decimal("0.0005"), Decimal(5000), Decimal(1_000_000_000)),
    "BTC": Terms(Decimal("0.0025"), Decimal("0.00005"), Decimal(20)),
    "USDT": Terms(Decimal("0.0025"), Decimal("0.5"), Decimal(1_000_000)),
}


@dataclass(frozen=True)
class OrderRequest:
    """An order as requested, with valid parameters in a valid combination."""

    market: Market
    side: str
    ord_type: str
    price: Decimal | None
    volume: Decimal | None
    identifier: str | None
    time_in_force: str | None
    smp_type: str

    @property
    def terms(self) -> Terms:
        return TERMS[self.market.quote]

    @property
    def by_total(self) -> bool:
        return self.side == "bid" and self.ord_type in {"price", "best"}


def read(body: Mapping[str, object]) -> OrderRequest:
    """Parse the body of an order request. Raises `Denied` for invalid ones."""
    side = _choice(body, "side", required=True)
    requested = OrderRequest(
        market=known_market(body),
        side=side or "",
        ord_type=_choice(body, "ord_type", required=True) or "",
        price=_amount(body, "price"),
        volume=_amount(body, "volume"),
        identifier=identifier(body),
        time_in_force=_choice(body, "time_in_force"),
        smp_type=_smp_type(body),
    )
    _check_combination(requested)
    return requested


def known_market(parameters: Mapping[str, object]) -> Market:
    code = _text(parameters, "market")
    if code is None:
        raise invalid("market is missing, market does not have a valid value")
    found = markets().get(code)
    if found is None:
        raise invalid("market does not have a valid value")
    return found


def identifier(body: Mapping[str, object]) -> str | None:
    name = _text(body, "identifier")
    if name is not None and len(name) > _IDENTIFIER_LENGTH:
        raise invalid("identifier does not have a valid value")
    return name


def check_limits(requested: OrderRequest, price: Decimal) -> None:
    """Raise `Denied` if the price is not a multiple of the tick, or the total is too small or too large.

    `price` is the order's price, or the best bid if it only has a volume.
    """
    if requested.ord_type == "limit" and (price * E8) % requested.market.grid.tick(int(price * E8)):
        raise Denied(f"invalid_price_{requested.side}")
    total = price if requested.volume is None else price * requested.volume
    if total < requested.terms.min_total:
        raise Denied(f"under_min_total_{requested.side}")
    if total > requested.terms.max_total:
        raise Denied("invalid_funds" if requested.volume is None else "volume_too_large")


def _check_combination(requested: OrderRequest) -> None:
    wrong = Denied(f"create_{requested.side}_error")
    if (requested.ord_type, requested.side) in {("price", "ask"), ("market", "bid")}:
        raise wrong
    limit = requested.ord_type == "limit"
    if (requested.price is not None) is not (limit or requested.by_total):
        raise wrong
    if (requested.volume is not None) is not (limit or requested.side == "ask"):
        raise wrong
    if requested.time_in_force not in _CONDITIONS[requested.ord_type]:
        raise wrong


def _smp_type(body: Mapping[str, object]) -> str:
    smp_type = _choice(body, "smp_type")
    if body.get("time_in_force") != "post_only":
        return smp_type or "cancel_maker"
    if smp_type not in {None, "none"}:
        raise invalid("smp_type is not allowed with post_only")
    return "none"


def _choice(body: Mapping[str, object], name: str, *, required: bool = False) -> str | None:
    value = _text(body, name)
    if value is None and required:
        raise invalid(f"{name} is missing, {name} does not have a valid value")
    if value is not None and value not in _CHOICES[name]:
        raise invalid(f"{name} does not have a valid value")
    return value


def _amount(body: Mapping[str, object], name: str) -> Decimal | None:
    text = _text(body, name)
    if text is None:
        return None
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise invalid(f"{name} does not have a valid value")
    return Decimal(text)


def _text(body: Mapping[str, object], name: str) -> str | None:
    """Return a parameter; null and "" count as absent."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid(f"{name} does not have a valid value")
    return value
