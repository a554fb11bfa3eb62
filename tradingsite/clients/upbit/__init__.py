"""Upbit. The rules that are kept here, U1 to U19, stand in docs/upbit-client.md."""

from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.exchange_schemas import Balance, Chance, ExchangeOrder, Trade
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.outcome import Accepted, NeverSent, OrderRefused, Outcome, Unknown

__all__ = [
    "Accepted",
    "Balance",
    "Chance",
    "ExchangeOrder",
    "NeverSent",
    "OrderRefused",
    "OrderRequest",
    "Outcome",
    "Trade",
    "Unknown",
    "UpbitClient",
    "UpbitExchange",
]
