"""Upbit. The rules that are kept here, U1 to U10, stand in docs/upbit-client.md."""

from tradingsite.clients.upbit.client import UpbitClient

__all__ = ["UpbitClient"]
