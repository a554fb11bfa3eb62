"""Whether coins whose sell is UNKNOWN are proven to be still there (P15)."""

from collections.abc import Collection
from decimal import Decimal

from django.db.models import Q, Sum

from tradingsite.clients.upbit.exchange_schemas import Balance
from tradingsite.orders.models import Order, State
from tradingsite.orders.portfolio import account


def unclear_sells(market: str) -> list[Order]:
    """Return the sells of `market` that may exist on the exchange or not."""
    return list(Order.objects.filter(market=market, side="ask", state=State.UNKNOWN).order_by("pk"))


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
