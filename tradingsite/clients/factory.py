"""Clients made from the site's settings. A process makes each once, on first use.

Their modules are imported on first use too: requests, PyJWT and tenacity cost more than the rest of a start,
and most commands call nobody.
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
    """Return the client of the exchange in force. Probes use one without retries.

    The default bound of 8 s keeps a call inside the ten seconds between two collections.
    """
    return _upbit(settings.UPBIT_URL, retries)


def exchange_client(*, retries: int = 3) -> UpbitExchange:
    """Return the client of our account at the exchange in force. Without keys every call says so."""
    return _exchange(settings.UPBIT_URL, settings.UPBIT_ACCESS_KEY, settings.UPBIT_SECRET_KEY, retries)


def gemini_client() -> GeminiClient:
    """Return the client of the model's vendor in force. Without a key its calls raise KeyRejected."""
    return _gemini(settings.GEMINI_URL, settings.GEMINI_API_KEY)


def model_client() -> GeminiModel:
    """Return the host that generates signals. Without a key it fails with the kind "auth"."""
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
