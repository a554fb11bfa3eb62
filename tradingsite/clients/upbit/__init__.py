"""Clients for Upbit: public prices, and our account. docs/upbit-client.md states their rules, U1-U19."""
