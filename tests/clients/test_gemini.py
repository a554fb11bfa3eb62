"""Model metadata: one GET, a name for every refusal, the key in no error."""

import json
import traceback

import pytest

from tests.clients import samples
from tests.clients.peer import Handler, Reply
from tests.clients.samples import google_error
from tradingsite.clients.errors import (
    ClientError,
    InvalidResponse,
    KeyRejected,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    Unavailable,
    Unreachable,
)

KEY = "AQ.secret-key-of-a-person"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def test_model_sends_one_get_with_the_key_in_a_header(peer, make_gemini):
    peer.script(Reply(body=samples.MODEL))

    model = make_gemini(KEY, user_agent="tradingsite/9.9.9").model("gemini-3.5-flash-lite")

    assert model.name == "models/gemini-3.5-flash-lite"
    assert model.input_token_limit == 1048576
    assert model.supported_generation_methods == ("generateContent", "countTokens")
    [request] = peer.requests
    assert request.target == "/v1beta/models/gemini-3.5-flash-lite"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.headers["user-agent"] == "tradingsite/9.9.9"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("models/gemini-x", "/v1beta/models/gemini-x"),
        ("tuned/../me?key=1#x", "/v1beta/models/tuned%2F..%2Fme%3Fkey%3D1%23x"),
        ("모델 1%2F", "/v1beta/models/%EB%AA%A8%EB%8D%B8%201%252F"),
    ],
)
def test_model_name_is_quoted_in_the_path(peer, make_gemini, name, target):
    peer.script(Reply(body=samples.MODEL))

    make_gemini().model(name)

    assert peer.requests[0].target == target


@pytest.mark.parametrize("name", ["", ".", "..", "models/", "models/.."])
def test_unusable_model_name_is_not_sent(peer, make_gemini, name):
    with pytest.raises(NotSent, match="must be a name"):
        make_gemini().model(name)
    assert peer.requests == []


@pytest.mark.parametrize(
    ("code", "body", "error", "name", "message"),
    [
        (
            400,
            google_error(
                400,
                "INVALID_ARGUMENT",
                "API key not valid.",
                {"@type": ERROR_INFO, "reason": "API_KEY_INVALID"},
            ),
            KeyRejected,
            "API_KEY_INVALID",
            "the API key is not valid",
        ),
        (
            401,
            google_error(
                401,
                "UNAUTHENTICATED",
                "Expected OAuth 2 access token",
                {"@type": ERROR_INFO, "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED"},
            ),
            KeyRejected,
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "keys of this kind are no longer accepted; make a new one in AI Studio",
        ),
        (403, google_error(403, "PERMISSION_DENIED", "no"), KeyRejected, "PERMISSION_DENIED", "no"),
        (403, "<html>Forbidden</html>", KeyRejected, None, "an HTML page"),
        (
            400,
            google_error(400, "FAILED_PRECONDITION", "User location is not supported"),
            Rejected,
            "FAILED_PRECONDITION",
            "User location is not supported",
        ),
        (
            404,
            google_error(404, "NOT_FOUND", "models/x is not found"),
            NotFound,
            "NOT_FOUND",
            "models/x is not found",
        ),
        (400, '{"error":"flat"}', Rejected, None, '{"error":"flat"}'),
        (400, '{"error":{"status":"S","message":"m","details":5}}', Rejected, "S", "m"),
        (400, '{"error":{"status":"S","message":"m","details":["x",{}]}}', Rejected, "S", "m"),
    ],
)
def test_refusal_has_name_status_and_message(peer, make_gemini, *, code, body, error, name, message):
    peer.script(Reply(code, body))

    with pytest.raises(Rejected) as caught:
        make_gemini().model("x")

    assert type(caught.value) is error
    assert (caught.value.status, caught.value.name, caught.value.message) == (code, name, message)
    assert str(caught.value) == f"GET /v1beta/models/x: {code}: {message}"


@pytest.mark.parametrize(
    ("details", "retry_after_s"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}], 7.5),
        ([{"links": []}, {"retryDelay": "30s"}], 30),
        ([{"retryDelay": "later"}], 1),
        ([], 1),
    ],
)
def test_exhausted_quota_has_a_retry_delay(peer, make_gemini, details, retry_after_s):
    peer.script(Reply(429, google_error(429, "RESOURCE_EXHAUSTED", "You exceeded your quota", *details)))

    with pytest.raises(RateLimited, match="You exceeded your quota") as caught:
        make_gemini().model("x")

    assert caught.value.retry_after_s == retry_after_s
    assert not caught.value.banned


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_overloaded_model_is_unavailable_without_a_retry(peer, make_gemini, code):
    peer.script(Reply(code, google_error(code, "UNAVAILABLE", "The model is overloaded.")))

    with pytest.raises(Unavailable, match="overloaded"):
        make_gemini().model("x")
    assert len(peer.requests) == 1


def test_model_without_generate_content_is_rejected(peer, make_gemini):
    peer.script(Reply(body='{"name":"models/embedding","supportedGenerationMethods":["embedContent"]}'))

    with pytest.raises(Rejected, match="the model 'embedding' does not support generateContent"):
        make_gemini().model("embedding")


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"name":5}'])
def test_answer_without_a_model_is_an_invalid_response(peer, make_gemini, body):
    peer.script(Reply(body=body))

    with pytest.raises(InvalidResponse):
        make_gemini().model("x")


def test_dropped_connection_is_unreachable_without_a_retry(peer, make_gemini):
    peer.script(Handler.hang_up)

    with pytest.raises(Unreachable):
        make_gemini().model("x")
    assert len(peer.requests) == 1


def test_dripping_answer_times_out_at_the_deadline(peer, make_gemini):
    peer.script(lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\n"))

    with pytest.raises(Unreachable, match=r"within 0\.2 s"):
        make_gemini().model("x", within_s=0.2)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "no API key is set"),
        ("secret\n", "characters that no key has"),
        ("secret\r\nX-Other: 1", "characters that no key has"),
        (" secret", "characters that no key has"),
        ("비밀secret", "characters that no key has"),
    ],
)
def test_malformed_key_is_rejected_before_sending(peer, make_gemini, key, message):
    with pytest.raises(KeyRejected, match=message) as caught:
        make_gemini(key).model("x")

    assert caught.value.status is None
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert peer.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, google_error(400, "INVALID_ARGUMENT", f"bad key {KEY}")),
        Reply(400, f"bad key {KEY}"),
        Reply(403, google_error(403, KEY, "no")),
        Reply(503, KEY),
        Reply(200, f'"{KEY}"'),
        Reply(200, KEY),
        Reply(302, "", {"Location": f"https://elsewhere.invalid/{KEY}"}),
        Handler.hang_up,
    ],
)
def test_no_error_shows_the_key_even_when_the_answer_repeats_it(peer, make_gemini, reply):
    peer.script(reply)
    client = make_gemini(KEY)

    with pytest.raises(ClientError) as caught:
        client.model("x")

    shown = (
        "".join(traceback.format_exception(caught.value))
        + repr(caught.value)
        + json.dumps(vars(caught.value))
    )
    assert KEY not in shown
    assert KEY not in repr(client)
