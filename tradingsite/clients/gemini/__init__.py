"""Gemini over plain HTTP: what a probe needs, without tokens and without the vendor's package."""

from tradingsite.clients.gemini.client import GeminiClient

__all__ = ["GeminiClient"]
