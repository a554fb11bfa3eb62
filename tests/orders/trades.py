"""Orders with fills, in a given state reached by the transitions that the database allows."""

from datetime import datetime, timedelta
from decimal import Context, Decimal
from itertools import count

from tradingsite.orders.models import Fill, Order
from tradingsite.strategy.models import TradingSignal

_numbers = count(1)
EXACT = Context(prec=60)
SECOND = timedelta(seconds=1)
_WAYS = {
    "PLANNED": (),
    "DENIED": ("DENIED",),
    "REJECTED": ("SUBMITTING", "REJECTED"),
    "SUBMITTING": ("SUBMITTING",),
    "UNKNOWN": ("SUBMITTING", "UNKNOWN"),
    "LOST": ("SUBMITTING", "UNKNOWN", "LOST"),
}


def bought(market: str, *trades, at: datetime, apart: timedelta = SECOND, **facts) -> Order:
    """Create a market buy filled by `trades`, each a price and a volume; DONE by default."""
    funds = sum(int(Decimal(price) * Decimal(volume)) for price, volume in trades) or 10_000
    number = next(_numbers)
    signal = TradingSignal.objects.create(
        market=market,
        tick=at + timedelta(microseconds=number),
        as_of=at,
        decision="BUY",
        confidence=1,
        price=100,
    )
    buy = {"side": "bid", "ord_type": "price", "funds": funds, "signal": signal}
    return _order(market, trades, at, apart, {"identifier": f"buy-{number}", **buy, **facts})


def sold(market: str, *trades, at: datetime, apart: timedelta = SECOND, **facts) -> Order:
    """Create a market sell filled by `trades`, each a price and a volume; DONE by default."""
    volume = sum(Decimal(volume) for _, volume in trades) or 1
    sell = {"side": "ask", "ord_type": "market", "volume": volume, "cause": "stop_loss"}
    return _order(market, trades, at, apart, {"identifier": f"sell-{next(_numbers)}", **sell, **facts})


def fill(order: Order, price, volume, *, at: datetime) -> Fill:
    price, volume = Decimal(price), Decimal(volume)
    uuid = f"trade-{next(_numbers)}"
    funds = EXACT.multiply(price, volume)
    return Fill.objects.create(order=order, uuid=uuid, price=price, volume=volume, funds=funds, traded_at=at)


def _order(market, trades, at, apart, facts) -> Order:
    state, fee = facts.pop("state", "DONE"), Decimal(facts.pop("fee", 0))
    uuid = facts.pop("uuid", f"uuid-{facts['identifier']}")
    order = Order.objects.create(market=market, created_at=at, **facts)
    for step in _WAYS.get(state, ("SUBMITTING", "OPEN")):
        order.state = step
        order.uuid = uuid if step == "OPEN" else None
        order.save()
    fills = [fill(order, *trade, at=at + apart * number) for number, trade in enumerate(trades)]
    if state in ("PARTIAL", "DONE", "CANCELLED"):
        order.executed_volume = sum(each.volume for each in fills)
        order.executed_funds = sum(each.funds for each in fills)
        order.paid_fee = fee
        order.state = state
        order.save()
    return order
