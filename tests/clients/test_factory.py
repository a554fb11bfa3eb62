"""Clients as the site uses them."""

import pytest

from tests.clients import samples
from tests.clients.peer import Reply
from tradingsite import __version__
from tradingsite.clients.errors import KeyRejected
from tradingsite.clients.factory import exchange_client, gemini_client, model_client, upbit_client
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GenerationRequest


def test_the_sites_clients_speak_to_the_addresses_in_force(peer, settings):
    settings.UPBIT_URL = settings.GEMINI_URL = peer.url
    settings.GEMINI_API_KEY = "key-for-tests"
    peer.script(Reply(), Reply(body=samples.MODEL))

    upbit_client(retries=0).markets()
    gemini_client().model("gemini-3.5-flash-lite")

    assert [asked.headers["user-agent"] for asked in peer.asked] == [f"tradingsite/{__version__}"] * 2
    assert peer.asked[1].headers["x-goog-api-key"] == "key-for-tests"


def test_a_process_makes_each_client_once(settings):
    settings.UPBIT_URL = "http://127.0.0.1:1"

    assert upbit_client() is upbit_client()
    assert upbit_client() is not upbit_client(retries=0)
    assert upbit_client().retries == 3


def test_a_call_leaves_room_before_the_next_collection(settings):
    assert upbit_client().wall_clock_s < 10


def test_a_site_without_a_key_says_so_when_the_model_is_asked_for(settings):
    settings.GEMINI_API_KEY = ""

    with pytest.raises(KeyRejected, match="no API key is set"):
        gemini_client().model("gemini-3.5-flash-lite")


def test_the_sites_private_clients_speak_with_its_keys(peer, settings):
    settings.UPBIT_URL = settings.GEMINI_URL = peer.url
    settings.UPBIT_ACCESS_KEY, settings.UPBIT_SECRET_KEY = samples.ACCESS_KEY, samples.SECRET_KEY
    settings.GEMINI_API_KEY = samples.MODEL_KEY
    peer.script(Reply(body="[]"), Reply(body=samples.GENERATION))

    assert exchange_client().accounts() == []
    assert model_client().generate(GenerationRequest("gemini-3", "a", "b", samples.SCHEMA)).status == 200

    assert [asked.headers["user-agent"] for asked in peer.asked] == [f"tradingsite/{__version__}"] * 2
    assert peer.asked[0].headers["authorization"].startswith("Bearer ")
    assert peer.asked[1].headers["x-goog-api-key"] == samples.MODEL_KEY
    assert exchange_client() is exchange_client()
    assert exchange_client(retries=0).retries == 0
    assert model_client() is model_client()


def test_a_site_without_keys_says_so_when_it_is_to_trade(settings):
    settings.UPBIT_ACCESS_KEY = settings.UPBIT_SECRET_KEY = settings.GEMINI_API_KEY = ""

    with pytest.raises(KeyRejected):
        exchange_client().accounts()
    with pytest.raises(ModelFailure) as caught:
        model_client().generate(GenerationRequest("gemini-3", "a", "b", samples.SCHEMA))
    assert caught.value.kind == "auth"
