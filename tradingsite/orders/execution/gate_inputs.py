"""Collects the inputs of the risk gate: account, market and our own orders.

Rules: docs/orders.md O3, docs/positions.md P15.
"""

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
    """Return the current state of the market and of our orders in it."""
    (window,) = read_windows([market], at)
    unresolved = Order.objects.active().filter(market=market)
    if side == Side.ASK:  # a buy that may have been filled does not reduce our position
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


def sellable_position(market: str, balances: Sequence[Balance]) -> tuple[Position, tuple[Clamp, ...]]:
    """Return our position, limited to its available coins: locked or missing ones cannot be sold."""
    ours = position(market)
    free, _ = account.free_and_locked(balances, account.coin(market))
    if free >= ours.volume:
        return ours, ()
    clamp = Clamp("free_coins", ours.volume, free)
    return Position(market, free, ours.cost * free / ours.volume), (clamp,)


def account_value(balances: list[Balance], at: datetime) -> Account:
    """Return what the account is worth. If a price is missing all is zero, so that no buy passes."""
    try:
        return account.evaluate(balances, account.last_prices(at), at)
    except account.PriceMissing as missing:
        logger.warning("account.not_judged", markets=missing.markets)
        nothing = Decimal(0)
        return Account(nothing, nothing, nothing, day_base=None, day_result=None)


def terms(chance: Chance) -> Terms:
    """Return the exchange's current conditions for an order; the larger minimum of both sides."""
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
    """Return the sells of `market` in state UNKNOWN: the exchange may have them or not."""
    return list(Order.objects.filter(market=market, side=Side.ASK, state=OrderState.UNKNOWN).order_by("pk"))


def coins_untouched(orders: Collection[Order], readings: Collection[list[Balance]]) -> bool:
    """Return whether every reading shows the full balance, unlocked, for each of the sells."""
    return all(_untouched(order, balances) for order in orders for balances in readings)


def _untouched(order: Order, balances: list[Balance]) -> bool:
    free, locked = account.free_and_locked(balances, account.coin(order.market))
    return not locked and free == expected_coins(order)


def expected_coins(order: Order) -> Decimal | None:
    """Return the coins that must be there if `order` sold none: those before it, plus later orders' fills."""
    if order.coin_before is None:
        return None
    filled = Order.objects.filter(market=order.market, pk__gt=order.pk).aggregate(
        bought=Sum("fills__volume", filter=Q(side="bid"), default=0),
        sold=Sum("fills__volume", filter=Q(side="ask"), default=0),
    )
    moved: Decimal = filled["bought"] - filled["sold"]
    return order.coin_before + moved
