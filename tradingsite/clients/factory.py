"""Clients made from the site's settings. A process makes each once, on first use."""

from functools import cache

from django.conf import settings

from tradingsite import __version__
from tradingsite.clients.gemini import GeminiClient, GeminiModel
from tradingsite.clients.upbit import UpbitClient, UpbitExchange

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
    return UpbitClient(base_url, retries=retries, user_agent=_USER_AGENT)


@cache
def _exchange(base_url: str, access_key: str, secret_key: str, retries: int) -> UpbitExchange:
    return UpbitExchange(base_url, access_key, secret_key, retries=retries, user_agent=_USER_AGENT)


@cache
def _gemini(base_url: str, api_key: str) -> GeminiClient:
    return GeminiClient(base_url, api_key, user_agent=_USER_AGENT)


@cache
def _model(base_url: str, api_key: str) -> GeminiModel:
    return GeminiModel(base_url, api_key, user_agent=_USER_AGENT)
