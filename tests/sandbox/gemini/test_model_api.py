"""The model host over HTTP."""

import pytest

from tradingsite.sandbox.options import GEMINI_KEY


@pytest.fixture
def ask_host(session, noon_sandbox):
    def ask(path, key=GEMINI_KEY):
        headers = {} if key is None else {"x-goog-api-key": key}
        return session.get(noon_sandbox.url + path, headers=headers, timeout=10)

    return ask


def test_the_default_model_can_generate(ask_host):
    model = ask_host("/v1beta/models/gemini-3.5-flash-lite").json()

    assert model["name"] == "models/gemini-3.5-flash-lite"
    assert "generateContent" in model["supportedGenerationMethods"]
    assert model["inputTokenLimit"] == 1048576


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-3.8-flash?$alt=json;enum-encoding=int",
        "/v1beta/models/gemini-3.8-flash?%24alt=json%3Benum-encoding%3Dint",
        "/v1beta/models%2Fgemini-3.8-flash",
    ],
)
def test_the_ways_of_the_client_library_are_understood(ask_host, path):
    assert ask_host(path).json()["displayName"] == "Gemini 3.8 Flash"


def test_models_are_listed_page_by_page(ask_host):
    everything = ask_host("/v1beta/models").json()
    first = ask_host("/v1beta/models?pageSize=4").json()
    second = ask_host(f"/v1beta/models?pageSize=4&pageToken={first['nextPageToken']}").json()

    assert "nextPageToken" not in everything
    assert len(first["models"]) == 4
    assert "nextPageToken" not in second
    assert first["models"] + second["models"] == everything["models"]
    assert any("temperature" not in model for model in everything["models"])


def test_an_unreadable_page_token_is_a_400(ask_host):
    response = ask_host("/v1beta/models?pageToken=x")

    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/models/gemini-3.8-flash"])
def test_without_a_key_it_is_a_403(ask_host, path):
    response = ask_host(path, key=None)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == 403
    assert response.json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/models/gemini-3.8-flash"])
@pytest.mark.parametrize("key", ["another", "AIza-schlüssel"])
def test_another_key_is_a_400_that_says_why(ask_host, path, key):
    response = ask_host(path, key=key.encode())
    error = response.json()["error"]

    assert response.status_code == 400
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    assert error["details"][1]["message"] == error["message"]
    assert key not in response.text


def test_an_unknown_model_is_a_404(ask_host):
    response = ask_host("/v1beta/models/gemini-0-none")

    assert response.status_code == 404
    assert response.json()["error"]["status"] == "NOT_FOUND"
    assert "models/gemini-0-none" in response.json()["error"]["message"]


def test_it_counts_no_requests_against_the_exchange(ask_host):
    assert "Remaining-Req" not in ask_host("/v1beta/models").headers
