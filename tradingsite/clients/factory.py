"""Builds the clients for Upbit and Gemini from the Django settings. Each process builds each client once.

Their modules are imported on first use, because requests, PyJWT and tenacity cost more than the rest of a
start, and most commands send no request.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from tradingsite import __version__

if TYPE_CHECKING:
    from tradingsite.clients.gemini.client import GeminiClient
    from tradingsite.clients.gemini.generation import GeminiModel
    from tradingsite.clients.upbit.client import UpbitClient
    from tradingsite.clients.upbit.exchange import UpbitExchange

_USER_AGENT = f"tradingsite/{__version__}"


def upbit_client(*, retries: int = 3) -> UpbitClient:
    """Return the client for Upbit's public prices. Probes use one without retries.

    Its default limit of 8 s keeps a call shorter than the ten seconds between two price collections.
    """
    return _upbit(settings.UPBIT_URL, retries)


def exchange_client(*, retries: int = 3) -> UpbitExchange:
    """Return the client for our Upbit account. Without API keys each of its calls raises KeyRejected."""
    return _exchange(settings.UPBIT_URL, settings.UPBIT_ACCESS_KEY, settings.UPBIT_SECRET_KEY, retries)


def gemini_client() -> GeminiClient:
    """Return the client for Gemini's model metadata. Without an API key its calls raise KeyRejected."""
    return _gemini(settings.GEMINI_URL, settings.GEMINI_API_KEY)


def model_client() -> GeminiModel:
    """Return the client that generates trading signals. Without an API key it fails with kind "auth"."""
    return _model(settings.GEMINI_URL, settings.GEMINI_API_KEY)


@cache
def _upbit(base_url: str, retries: int) -> UpbitClient:
    from tradingsite.clients.upbit.client import UpbitClient

    return UpbitClient(base_url, retries=retries, user_agent=_USER_AGENT)


@cache
def _exchange(base_url: str, access_key: str, secret_key: str, retries: int) -> UpbitExchange:
    from tradingsite.clients.upbit.exchange import UpbitExchange

    return UpbitExchange(base_url, access_key, secret_key, retries=retries, user_agent=_USER_AGENT)


@cache
def _gemini(base_url: str, api_key: str) -> GeminiClient:
    from tradingsite.clients.gemini.client import GeminiClient

    return GeminiClient(base_url, api_key, user_agent=_USER_AGENT)


@cache
def _model(base_url: str, api_key: str) -> GeminiModel:
    from tradingsite.clients.gemini.generation import GeminiModel

    return GeminiModel(base_url, api_key, user_agent=_USER_AGENT)
