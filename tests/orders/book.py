"""Orders in a given state, reached by the transitions that the database allows."""

from itertools import count

from tests.marketdata.feed import NOON
from tradingsite.orders.models import PLACED_STATES, Order, OrderState
from tradingsite.strategy.models import TradingSignal

_PLACED = (OrderState.OPEN, OrderState.PARTIAL, OrderState.DONE, OrderState.CANCELLED)
MOVES: dict[OrderState, tuple[OrderState, ...]] = {
    OrderState.PLANNED: (OrderState.DENIED, OrderState.SUBMITTING),
    OrderState.SUBMITTING: (*_PLACED, OrderState.REJECTED, OrderState.UNKNOWN),
    OrderState.UNKNOWN: (*_PLACED, OrderState.LOST),
    OrderState.OPEN: (OrderState.PARTIAL, OrderState.DONE, OrderState.CANCELLED),
    OrderState.PARTIAL: (OrderState.DONE, OrderState.CANCELLED),
    OrderState.LOST: _PLACED,
}
"""Every transition that docs/orders.md and the database allow."""
_numbers = count(1)


def placed(*, state="DONE", **facts) -> Order:
    """Create a market buy for 10,000 won from a signal, with `facts` in place of that."""
    values = {
        "identifier": "a-1",
        "market": "KRW-BTC",
        "side": "bid",
        "ord_type": "price",
        "funds": 10_000,
        **facts,
    }
    if values["side"] == "ask" and "signal" not in values:
        values["cause"] = "stop_loss"
    elif "signal" not in values:
        values["signal"] = buy_signal()
    uuid = values.pop("uuid", f"uuid-of-{values['identifier']}")
    order = Order.objects.create(**values)
    for step in way_to(state):
        order.state = step
        order.uuid = uuid if step in PLACED_STATES else None
        order.save()
    return order


def buy_signal(**facts) -> TradingSignal:
    """Create a signal to buy, each with its own tick."""
    number = next(_numbers)
    values = {
        "market": "KRW-BTC",
        "tick": NOON.replace(microsecond=number),
        "as_of": NOON,
        "decision": "BUY",
        "confidence": 1,
        "price": 100,
    }
    return TradingSignal.objects.create(**{**values, **facts})


def way_to(state) -> list[str]:
    """Return the shortest way from PLANNED to `state`; an unknown state is one step that is not allowed."""
    ways: dict[str, list[str]] = {OrderState.PLANNED: []}
    waiting = [OrderState.PLANNED]
    for now in waiting:
        for then in MOVES.get(now, ()):
            if then not in ways:
                ways[then] = [*ways[now], then]
                waiting.append(then)
    return ways.get(state, [state])
