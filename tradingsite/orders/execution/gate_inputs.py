"""What a decision to trade rests on: account, market and our books (orders.md O3, positions.md P15)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog
from django.db.models import Q, Sum

from tradingsite.marketdata.windows import read_windows
from tradingsite.orders.models import Order, OrderState, Side
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import position
from tradingsite.risk.inputs import Account, Circumstances, Position, Terms
from tradingsite.risk.models import Halt
from tradingsite.risk.verdict import Clamp

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange_schemas import Balance, Chance

logger = structlog.get_logger(__name__)


def circumstances(
    market: str,
    side: Side,
    at: datetime,
    *,
    trading_enabled: bool,
    synced: bool,
    volatility_checked_at: datetime | None,
) -> Circumstances:
    """Return what is known of the market and of our orders in it."""
    (window,) = read_windows([market], at)
    unresolved = Order.objects.active().filter(market=market)
    if side == Side.ASK:  # what we hold is not less because a buy may have gone through
        unresolved = unresolved.exclude(side=Side.BID, state=OrderState.UNKNOWN)
    return Circumstances(
        at=at,
        trading_enabled=trading_enabled,
        halts=tuple(halt.reason for halt in Halt.objects.blocking(market).order_by("pk")),
        volatility_checked_at=volatility_checked_at,
        price=window.price,
        price_seen_at=window.seen_at,
        synced=synced,
        unresolved=unresolved.count(),
    )


def sellable(market: str, balances: Sequence[Balance]) -> tuple[Position, tuple[Clamp, ...]]:
    """Return our position as far as its coins are free: what is locked or gone cannot be sold."""
    ours = position(market)
    free, _ = account.of_currency(balances, account.coin(market))
    if free >= ours.volume:
        return ours, ()
    clamp = Clamp("free_coins", ours.volume, free)
    return Position(market, free, ours.cost * free / ours.volume), (clamp,)


def worth(balances: list[Balance], at: datetime) -> Account:
    """Return what the account is worth; all zero, with which no buy passes, while a price is missing."""
    try:
        return account.judge(balances, account.last_prices(at), at)
    except account.PriceMissing as missing:
        logger.warning("account.not_judged", markets=missing.markets)
        nothing = Decimal(0)
        return Account(nothing, nothing, nothing, day_base=None, day_result=None)


def terms(chance: Chance) -> Terms:
    """Return what the exchange asks of an order now; the larger minimum of both sides."""
    market = chance.market
    return Terms(
        market=market.id,
        bid_fee=chance.bid_fee,
        ask_fee=chance.ask_fee,
        min_total=max(market.bid.min_total, market.ask.min_total),
        max_total=market.max_total,
        active=market.state == "active",
    )


def unknown_sells(market: str) -> list[Order]:
    """Return the sells of `market` that may exist on the exchange or not."""
    return list(Order.objects.filter(market=market, side=Side.ASK, state=OrderState.UNKNOWN).order_by("pk"))


def all_free(unclear: Collection[Order], looks: Collection[list[Balance]]) -> bool:
    """Return whether every look shows all coins there and none locked, for each of the unclear sells."""
    return all(_untouched(order, balances) for order in unclear for balances in looks)


def _untouched(order: Order, balances: list[Balance]) -> bool:
    free, locked = account.of_currency(balances, account.coin(order.market))
    return not locked and free == expected_coins(order)


def expected_coins(order: Order) -> Decimal | None:
    """Return the coins that must be there if `order` sold none: those before it and what later orders did."""
    if order.coin_before is None:
        return None
    filled = Order.objects.filter(market=order.market, pk__gt=order.pk).aggregate(
        bought=Sum("fills__volume", filter=Q(side="bid"), default=0),
        sold=Sum("fills__volume", filter=Q(side="ask"), default=0),
    )
    moved: Decimal = filled["bought"] - filled["sold"]
    return order.coin_before + moved
