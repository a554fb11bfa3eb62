"""Clients as the site uses them."""

import pytest

from tests.clients import samples
from tests.clients.peer import LONG_TIMEOUT_S, Reply, extend_timeouts
from tradingsite import __version__
from tradingsite.clients.errors import KeyRejected
from tradingsite.clients.factory import exchange_client, gemini_client, model_client, upbit_client
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GenerationRequest


@pytest.fixture(autouse=True)
def patient_sockets(monkeypatch):
    extend_timeouts(monkeypatch)


def test_public_clients_use_the_configured_urls(peer, settings):
    settings.UPBIT_URL = settings.GEMINI_URL = peer.url
    settings.GEMINI_API_KEY = "key-for-tests"
    peer.script(Reply(), Reply(body=samples.MODEL))

    upbit_client(retries=0).markets()
    gemini_client().model("gemini-3.5-flash-lite", within_s=LONG_TIMEOUT_S)

    assert [request.headers["user-agent"] for request in peer.requests] == [f"tradingsite/{__version__}"] * 2
    assert peer.requests[1].headers["x-goog-api-key"] == "key-for-tests"


def test_clients_are_cached_per_process(settings):
    settings.UPBIT_URL = "http://127.0.0.1:1"

    assert upbit_client() is upbit_client()
    assert upbit_client() is not upbit_client(retries=0)
    assert upbit_client().retries == 3


def test_default_wall_clock_limit_is_below_the_collection_interval(settings):
    assert upbit_client().wall_clock_s < 10


def test_gemini_client_without_a_key_raises_key_rejected(settings):
    settings.GEMINI_API_KEY = ""

    with pytest.raises(KeyRejected, match="no API key is set"):
        gemini_client().model("gemini-3.5-flash-lite")


def test_private_clients_use_the_configured_keys(peer, settings):
    settings.UPBIT_URL = settings.GEMINI_URL = peer.url
    settings.UPBIT_ACCESS_KEY, settings.UPBIT_SECRET_KEY = samples.ACCESS_KEY, samples.SECRET_KEY
    settings.GEMINI_API_KEY = samples.MODEL_KEY
    peer.script(Reply(body="[]"), Reply(body=samples.GENERATION))

    assert exchange_client().accounts() == []
    assert model_client().generate(GenerationRequest("gemini-3", "a", "b", samples.SCHEMA)).status == 200

    assert [request.headers["user-agent"] for request in peer.requests] == [f"tradingsite/{__version__}"] * 2
    assert peer.requests[0].headers["authorization"].startswith("Bearer ")
    assert peer.requests[1].headers["x-goog-api-key"] == samples.MODEL_KEY
    assert exchange_client() is exchange_client()
    assert exchange_client(retries=0).retries == 0
    assert model_client() is model_client()


def test_private_clients_without_keys_fail_with_an_auth_error(settings):
    settings.UPBIT_ACCESS_KEY = settings.UPBIT_SECRET_KEY = settings.GEMINI_API_KEY = ""

    with pytest.raises(KeyRejected):
        exchange_client().accounts()
    with pytest.raises(ModelFailure) as caught:
        model_client().generate(GenerationRequest("gemini-3", "a", "b", samples.SCHEMA))
    assert caught.value.kind == "auth"
