"""The model host over HTTP."""

import pytest

from tradingsite.sandbox.options import GEMINI_KEY


@pytest.fixture
def get(session, noon_sandbox):
    def get(path, key=GEMINI_KEY):
        headers = {} if key is None else {"x-goog-api-key": key}
        return session.get(noon_sandbox.url + path, headers=headers, timeout=30)

    return get


def test_default_model_supports_generate_content(get):
    model = get("/v1beta/models/gemini-3.5-flash-lite").json()

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
def test_urls_of_the_client_library_are_accepted(get, path):
    assert get(path).json()["displayName"] == "Gemini 3.8 Flash"


def test_models_are_listed_in_pages(get):
    everything = get("/v1beta/models").json()
    first = get("/v1beta/models?pageSize=4").json()
    second = get(f"/v1beta/models?pageSize=4&pageToken={first['nextPageToken']}").json()

    assert "nextPageToken" not in everything
    assert len(first["models"]) == 4
    assert "nextPageToken" not in second
    assert first["models"] + second["models"] == everything["models"]
    assert any("temperature" not in model for model in everything["models"])


def test_invalid_page_token_is_a_400(get):
    response = get("/v1beta/models?pageToken=x")

    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/models/gemini-3.8-flash"])
def test_missing_key_is_a_403(get, path):
    response = get(path, key=None)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == 403
    assert response.json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/models/gemini-3.8-flash"])
@pytest.mark.parametrize("key", ["another", "AIza-schlüssel"])
def test_unknown_key_is_a_400_with_details(get, path, key):
    response = get(path, key=key.encode())
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


def test_unknown_model_is_a_404(get):
    response = get("/v1beta/models/gemini-0-none")

    assert response.status_code == 404
    assert response.json()["error"]["status"] == "NOT_FOUND"
    assert "models/gemini-0-none" in response.json()["error"]["message"]


def test_model_requests_do_not_count_against_exchange_limits(get):
    assert "Remaining-Req" not in get("/v1beta/models").headers
