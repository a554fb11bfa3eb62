"""Clients made from the site's settings. A process makes each once, when it is first asked for."""

from functools import cache

from django.conf import settings

from tradingsite import __version__
from tradingsite.clients.gemini import GeminiClient
from tradingsite.clients.upbit import UpbitClient

_USER_AGENT = f"tradingsite/{__version__}"


def upbit_client(*, retries: int = 3) -> UpbitClient:
    """Return the client of the exchange in force. A probe asks for one without retries.

    The default bound of 8 s keeps a call inside the ten seconds between two collections.
    """
    return _upbit(settings.UPBIT_URL, retries)


def gemini_client() -> GeminiClient:
    """Return the client of the model's vendor in force. Without a key its calls raise KeyRejected."""
    return _gemini(settings.GEMINI_URL, settings.GEMINI_API_KEY)


@cache
def _upbit(base_url: str, retries: int) -> UpbitClient:
    return UpbitClient(base_url, retries=retries, user_agent=_USER_AGENT)


@cache
def _gemini(base_url: str, api_key: str) -> GeminiClient:
    return GeminiClient(base_url, api_key, user_agent=_USER_AGENT)
