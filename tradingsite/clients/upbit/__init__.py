"""Upbit. The rules that are kept here, U1 to U19, stand in docs/upbit-client.md."""
