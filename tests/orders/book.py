"""Orders as they will be written."""

from tradingsite.orders.models import Order


def placed(**facts) -> Order:
    """Write a market buy for 10,000 won, or what `facts` make of it."""
    values = {
        "identifier": "a-1",
        "market": "KRW-BTC",
        "side": "bid",
        "ord_type": "price",
        "funds": 10_000,
    }
    values["uuid"] = f"uuid-of-{facts.get('identifier', 'a-1')}"
    return Order.objects.create(**{**values, **facts})
