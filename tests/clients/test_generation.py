"""One request to the model: one answer, or one failure with its kind (docs/gemini-client.md)."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from tests.clients import samples
from tests.clients.peer import LONG_TIMEOUT_S, Handler, Peer, Reply
from tests.clients.samples import MODEL_KEY, candidate, generation, google_error
from tradingsite.clients.errors import ClientError
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest

REQUEST = GenerationRequest("gemini-3.5-flash-lite", "Be brief.", '{"price": 1}', samples.SCHEMA)
TEXT = {"text": '{"decision": "BUY"}'}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure"}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}


def failure(
    model: GeminiModel, request: GenerationRequest = REQUEST, *, within_s: float = LONG_TIMEOUT_S
) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        model.generate(request, within_s=within_s)
    return caught.value


def test_finished_answer_has_text_tokens_and_raw_body(peer, model):
    peer.script(Reply(body=samples.GENERATION))

    answer = model.generate(REQUEST)

    assert json.loads(answer.text) == {"decision": "HOLD"}
    assert (answer.model_answered, answer.finish_reason, answer.status) == (
        "gemini-3.5-flash-lite",
        "STOP",
        200,
    )
    assert (answer.prompt_tokens, answer.output_tokens) == (310, 48)
    assert (answer.thinking_tokens, answer.total_tokens) == (125, 483)
    assert answer.raw == samples.GENERATION
    assert answer.latency_ms >= 0


def test_request_body_has_exactly_the_expected_fields(peer, model):
    peer.script(Reply(body=samples.GENERATION))

    model.generate(REQUEST)

    [request] = peer.requests
    assert (request.method, request.path) == ("POST", "/v1beta/models/gemini-3.5-flash-lite:generateContent")
    assert request.headers["x-goog-api-key"] == MODEL_KEY
    assert request.headers["user-agent"] == "tradingsite/test"
    assert MODEL_KEY not in request.target
    body = json.loads(request.body)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": '{"price": 1}'}]}]
    config = body["generationConfig"]
    assert set(config) == {"responseMimeType", "responseSchema", "maxOutputTokens"}
    assert (config["responseMimeType"], config["maxOutputTokens"]) == ("application/json", 8192)
    assert config["responseSchema"]["required"] == ["decision", "confidence", "reasoning"]
    assert config["responseSchema"]["type"] == 6  # the package writes enums as numbers


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("gemini-1.5-pro", True),
        ("models/gemini-2.5-flash", True),
        ("gemini-2-x", True),
        ("gemini-3.8-flash", False),
        ("gemini-25-flash", False),
        ("another-1.0", False),
    ],
)
def test_temperature_is_sent_only_to_models_that_support_it(*, peer, model, name, sampling):
    peer.script(Reply(body=samples.GENERATION))

    model.generate(GenerationRequest(name, "a", "b", samples.SCHEMA))

    assert json.loads(peer.requests[0].body)["generationConfig"].get("temperature") == (
        0 if sampling else None
    )


@pytest.mark.parametrize(
    "parts",
    [
        [{"text": "Let me think.", "thought": True}, TEXT],
        [{"text": "Let me think."}, {"text": "Once more."}, TEXT],
        [TEXT, {"text": "", "thoughtSignature": "c2ln"}],
        [TEXT, {"functionCall": {"name": "f"}}],
    ],
)
def test_answer_text_is_the_last_non_empty_text_part(peer, model, parts):
    peer.script(Reply(body=generation(candidates=[candidate(1, *parts)])))

    assert model.generate(REQUEST).text == TEXT["text"]


def test_answer_may_omit_usage_and_model_version(peer, model):
    peer.script(Reply(body=generation(usageMetadata=None, modelVersion=None, newField={"a": [1]})))

    answer = model.generate(REQUEST)

    assert (answer.model_answered, answer.prompt_tokens, answer.thinking_tokens) == ("", None, None)


@pytest.mark.parametrize(
    ("body", "kind", "finish", "words"),
    [
        (generation(candidates=None, promptFeedback={"blockReason": 1}), "blocked", "", "SAFETY"),
        (generation(candidates=None, promptFeedback={"blockReason": 77}), "blocked", "", "77"),
        (generation(candidates=None), "empty", "", "no candidate"),
        (generation(candidates=[candidate(1, TEXT)] * 2), "invalid", "STOP", "2 candidates"),
        (generation(candidates=[candidate(2, {"text": '{"deci'})]), "truncated", "MAX_TOKENS", "limit"),
        (generation(candidates=[candidate(2)]), "truncated", "MAX_TOKENS", "limit"),
        (generation(candidates=[candidate(3)]), "blocked", "SAFETY", "SAFETY"),
        (generation(candidates=[candidate(4, TEXT)]), "blocked", "RECITATION", "RECITATION"),
        (generation(candidates=[candidate(5, TEXT)]), "unfinished", "OTHER", "OTHER"),
        (generation(candidates=[candidate(10, TEXT)]), "unfinished", "MALFORMED_FUNCTION_CALL", "MALFORMED"),
        (generation(candidates=[candidate(99, TEXT)]), "unfinished", "99", "99"),
        (
            generation(candidates=[candidate("MODEL_ARMOR", TEXT)]),
            "unfinished",
            "FINISH_REASON_UNSPECIFIED",
            "UNSPECIFIED",
        ),
        (generation(candidates=[candidate(1)]), "empty", "STOP", "no text"),
        (generation(candidates=[candidate(1, {"text": ""})]), "empty", "STOP", "no text"),
    ],
)
def test_incomplete_answer_is_a_failure_with_the_raw_body(*, peer, model, body, kind, finish, words):
    peer.script(Reply(body=body))

    failed = failure(model)

    assert (failed.kind, failed.finish_reason, failed.status) == (kind, finish, 200)
    assert words in failed.message
    assert (failed.model_answered, failed.total_tokens) == ("gemini-3.5-flash-lite", 483)
    assert failed.raw == body
    assert len(peer.requests) == 1


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "null", "<html>", b"\xff\xfe", "[" * 100_000])
def test_malformed_200_is_invalid_and_keeps_the_raw_body(peer, model, body):
    peer.script(Reply(body=body))

    failed = failure(model)

    assert (failed.kind, failed.status) == ("invalid", 200)
    assert len(failed.raw) <= 65_536
    assert failed.raw or not body


def test_raw_body_is_cut_and_free_of_nul(peer, model):
    peer.script(Reply(body=b"a\0b" + b"x" * 100_000))

    raw = failure(model).raw

    assert raw.startswith("a\ufffdb")
    assert len(raw) == 65_536


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, google_error(400, "INVALID_ARGUMENT", "Unknown name"), "config", "Unknown name"),
        (
            400,
            google_error(400, "INVALID_ARGUMENT", "bad", {"reason": "API_KEY_INVALID"}),
            "auth",
            "not valid",
        ),
        (400, google_error(400, "FAILED_PRECONDITION", "User location"), "config", "location"),
        (403, google_error(403, "PERMISSION_DENIED", "denied"), "auth", "denied"),
        (403, "<html>no</html>", "auth", "an HTML page"),
        (404, google_error(404, "NOT_FOUND", "is no longer available"), "config", "no longer"),
        (408, "", "timeout", "an empty body"),
        (429, "slow down", "quota", "slow down"),
        (500, google_error(500, "INTERNAL", "oops"), "overloaded", "oops"),
        (502, "<html>no</html>", "overloaded", "an HTML page"),
        (503, google_error(503, "UNAVAILABLE", "overloaded"), "overloaded", "overloaded"),
        (504, google_error(504, "DEADLINE_EXCEEDED", "late"), "timeout", "late"),
        (418, "teapot", "config", "teapot"),
    ],
)
def test_http_error_maps_to_a_kind_after_one_request(*, peer, model, status, body, kind, words):
    peer.script(Reply(status, body))

    failed = failure(model)

    assert (failed.kind, failed.status, failed.raw) == (kind, status, body)
    assert words in failed.message
    assert peer.url not in failed.message
    assert (failed.total_tokens, failed.finish_reason, failed.model_answered) == (None, "", "")
    assert len(peer.requests) == 1


def test_refused_key_is_an_auth_failure_after_three_requests(peer, model):
    body = google_error(
        401, "UNAUTHENTICATED", "Expected OAuth 2 access token", {"reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED"}
    )
    peer.script(Reply(401, body))

    failed = failure(model)

    assert (failed.kind, failed.status) == ("auth", 401)
    assert "no longer accepted" in failed.message
    assert "OAuth" not in failed.message
    assert len(peer.requests) == 3


@pytest.mark.parametrize(
    ("details", "retry_after_s", "daily_quota"),
    [
        ([DELAY], 7.5, False),
        ([QUOTA | {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}], None, True),
        ([QUOTA | {"violations": [{"quotaId": "RequestsPerMinute"}]}, DELAY], 7.5, False),
        ([], None, False),
        ([{"retryDelay": "soon"}, {"violations": "none"}], None, False),
    ],
)
def test_quota_failure_has_retry_delay_and_daily_flag(*, peer, model, details, retry_after_s, daily_quota):
    peer.script(Reply(429, google_error(429, "RESOURCE_EXHAUSTED", "quota", *details)))

    failed = failure(model)

    assert (failed.kind, failed.retry_after_s, failed.daily_quota) == ("quota", retry_after_s, daily_quota)
    assert ("daily quota" in failed.message) is daily_quota


def test_a_redirect_is_not_followed(peer, model):
    peer.script(Reply(302, "", {"Location": f"{peer.url}/elsewhere"}))

    failed = failure(model)

    assert failed.kind == "invalid"
    assert "redirect" in failed.message
    assert len(peer.requests) == 1


def test_oversized_answer_is_invalid(peer, model):
    peer.script(Reply(body=b" " * (8 * 2**20 + 1)))

    failed = failure(model)

    assert failed.kind == "invalid"
    assert "larger than" in failed.message


def test_wrongly_compressed_answer_is_invalid(peer, model):
    peer.script(Reply(body="not gzip", headers={"Content-Encoding": "gzip"}))

    assert failure(model).kind == "invalid"


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"]
)
def test_dripping_answer_times_out_at_the_deadline(peer, model, start):
    load_package(peer, model)
    peer.script(lambda handler: handler.drip(start))

    begun = monotonic()
    failed = failure(model, within_s=0.3)

    assert failed.kind == "timeout"
    assert "within 0.3 s" in failed.message
    assert monotonic() - begun < LONG_TIMEOUT_S


def load_package(peer: Peer, model: GeminiModel) -> None:
    """Import the package before a limit that its import would use up."""
    peer.script(Reply(body=samples.GENERATION))
    model.generate(REQUEST)


def test_silent_server_times_out_at_the_deadline(peer, model):
    load_package(peer, model)
    peer.script(Handler.stay_silent)

    assert failure(model, within_s=0.3).kind == "timeout"


def test_zero_time_limit_sends_no_request(peer, model):
    assert failure(model, within_s=0).kind == "timeout"
    assert peer.requests == []


def test_unanswered_connect_is_a_timeout(saturated_address):
    host, port = saturated_address

    failed = failure(GeminiModel(f"http://{host}:{port}", MODEL_KEY, connect_timeout_s=0.1))

    assert (failed.kind, failed.status, failed.raw) == ("timeout", None, "")


def test_broken_connection_is_a_network_failure(peer, model):
    peer.script(Handler.hang_up)

    assert failure(model).kind == "network"
    assert len(peer.requests) == 1


def test_refused_connection_is_a_network_failure():
    with Peer().running() as gone:
        pass

    assert failure(GeminiModel(gone.url, MODEL_KEY)).kind == "network"


def test_untrusted_certificate_is_a_network_failure(monkeypatch):
    tls_peer = Peer(scheme="https")
    tls_peer.speak_tls()

    with tls_peer.running():
        failed = failure(GeminiModel(tls_peer.url, MODEL_KEY, connect_timeout_s=LONG_TIMEOUT_S))

    assert failed.kind == "network"
    assert "TLS failed" in failed.message


def test_proxy_and_key_variables_of_the_environment_are_ignored(peer, model, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "another-key")
    peer.script(Reply(body=samples.GENERATION))

    model.generate(REQUEST)

    assert peer.requests[0].headers["x-goog-api-key"] == MODEL_KEY


@pytest.mark.parametrize(
    ("key", "words"), [("", "no API key is set"), ("a key", "characters"), ("k\n", "char")]
)
def test_malformed_key_is_not_sent(peer, key, words):
    failed = failure(GeminiModel(peer.url, key))

    assert failed.kind == "auth"
    assert words in failed.message
    assert peer.requests == []


@pytest.mark.parametrize("name", ["", "models/", "../x", "a/b", "a?b", "a b", "a:b"])
def test_malformed_model_name_is_not_sent(peer, model, name):
    assert failure(model, GenerationRequest(name, "a", "b", samples.SCHEMA)).kind == "config"
    assert peer.requests == []


@pytest.mark.parametrize("schema", [{"type": "OBJECT", "minimum": 0}, {"type": "object"}, {"type": object()}])
def test_unserializable_schema_is_not_sent(peer, model, schema):
    failed = failure(model, GenerationRequest("gemini-3.5-flash-lite", "a", "b", schema))

    assert failed.kind == "config"
    assert peer.requests == []


def test_key_is_masked_in_failures_and_answers(peer, model):
    peer.script(
        Reply(400, google_error(400, "INVALID_ARGUMENT", f"the key {MODEL_KEY} is odd")),
        Reply(200, f"your key is {MODEL_KEY}"),
        Reply(body=generation(candidates=[candidate(1, {"text": f"{MODEL_KEY} {samples.SCHEMA}"})])),
    )

    results = [failure(model), failure(model), model.generate(REQUEST)]

    shown = "".join(f"{each} {each!r} {vars(each)}" for each in results) + repr(model)
    assert MODEL_KEY not in shown
    assert "***" in results[0].message


def test_model_failure_is_a_client_error(peer, model):
    peer.script(Reply(500))

    assert isinstance(failure(model), ClientError)


def test_threads_receive_their_own_answers(peer, model):
    def echo(handler: Handler) -> None:
        handler.reply_with(Reply(body=generation(candidates=[candidate(1, {"text": handler.path})])))

    peer.script(echo)
    names = [f"gemini-3-{number}" for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: model.generate(GenerationRequest(name, "a", "b", {})), names))

    assert [name in answer.text for name, answer in zip(names, answers, strict=True)] == [True] * 40


_GUARD = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from django.contrib import admin
from django.urls import get_resolver
from django.core.management import load_command_class
admin.autodiscover()
get_resolver().url_patterns
from django.conf import settings
from django.utils.module_loading import import_string
[import_string(probe["probe"]) for probe in settings.HEALTH_PROBES]
[import_string(panel["context"]) for panel in settings.STATUS_PANELS]
load_command_class("healthcheck", "healthcheck")
import tradingsite.clients.factory, tradingsite.clients.gemini.generation
tradingsite.clients.factory.model_client()
heavy = ("google.ai", "google.generativeai", "google.api_core", "google.auth", "grpc")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""


def test_sdk_is_imported_only_by_a_call():
    done = subprocess.run(
        [sys.executable, "-c", _GUARD], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_sdk_import_prints_no_warnings(peer):
    code = (
        "from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest\n"
        f"print(GeminiModel({peer.url!r}, 'any-key-will-do').generate("
        "GenerationRequest('gemini-3', 'a', 'b', {'type': 'OBJECT'})).status)"
    )
    peer.script(Reply(body=samples.GENERATION))

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.stdout.strip(), done.stderr) == ("200", "")
