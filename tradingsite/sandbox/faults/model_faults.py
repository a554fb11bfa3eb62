"""The kinds of model faults: odd answers, errors, and broken connections.

Rules: docs/sandbox-faults.md SF11-SF13.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

from tradingsite.sandbox.faults import exchange_faults
from tradingsite.sandbox.faults import strange_answers as strange
from tradingsite.sandbox.faults.exchange_faults import FaultContext, FaultKind, html
from tradingsite.sandbox.faults.strange_answers import Body
from tradingsite.sandbox.gemini.enums import wants_enum_numbers, with_enum_numbers
from tradingsite.sandbox.gemini.model_api import error, invalid_key_error
from tradingsite.sandbox.http.messages import Response, json_response

_PATH = "/v1beta/models/*:generateContent"
_RPC = "type.googleapis.com/google.rpc"


@dataclass(frozen=True)
class ModelFault(FaultKind):
    """A fault of the model API. `failure` is the kind of failure that a client should see, "" for none.

    One of: auth, blocked, config, empty, invalid, network, overloaded, quota, timeout, truncated, unfinished.
    `times` is how many requests must fail until Google's package itself gives up.
    """

    path: str = _PATH
    method: str = "POST"
    failure: str = ""


def _changed(change: Callable[[Body], object], call: FaultContext) -> Response:
    """Answer normally, then apply `change` to the body; errors stay unchanged."""
    response = call.process(call.request)
    if response.status != HTTPStatus.OK:
        return response
    body = json.loads(response.body)
    change(body)
    return json_response(with_enum_numbers(body) if wants_enum_numbers(call.request) else body)


def _fixed(response: Response, call: FaultContext) -> Response:
    return response


def _quota(quota_id: str, *details: Mapping[str, object]) -> Response:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global"},
        "quotaValue": "10",
    }
    failure = {"@type": f"{_RPC}.QuotaFailure", "violations": [violation]}
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(HTTPStatus.TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", message, (failure, *details))


def _unauthenticated() -> Response:
    message = (
        "Request had invalid authentication credentials. "
        "Expected OAuth 2 access token, login cookie or other valid authentication credential."
    )
    reason = {
        "@type": f"{_RPC}.ErrorInfo",
        "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    return error(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", message, (reason,))


def _strange(help_text: str, failure: str, change: Callable[[Body], object]) -> ModelFault:
    return ModelFault(help_text, partial(_changed, change), failure=failure)


def _error(help_text: str, failure: str, response: Response, times: int = 1) -> ModelFault:
    return ModelFault(help_text, partial(_fixed, response), failure=failure, times=times, answers_itself=True)


def _delivery(
    help_text: str,
    failure: str,
    effect: Callable[[FaultContext], Response],
    seconds: float = 0,
    *,
    itself: bool = True,
) -> ModelFault:
    return ModelFault(help_text, effect, failure=failure, seconds=seconds, answers_itself=itself)


_PROXY_ERROR = Response(
    HTTPStatus.OK, b"upstream connect error or disconnect/reset before headers\n", "text/plain"
)
_PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
_PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
_BAD_FIELD = error(
    HTTPStatus.BAD_REQUEST,
    "INVALID_ARGUMENT",
    "Invalid JSON payload received. Unknown name \"temprature\" at 'generation_config': Cannot find field.",
)
_LOCATION = error(
    HTTPStatus.BAD_REQUEST, "FAILED_PRECONDITION", "User location is not supported for the API use."
)
_FORBIDDEN = error(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", "Your project has been denied access.")
_RETIRED = error(HTTPStatus.NOT_FOUND, "NOT_FOUND", "This model is no longer available.")
_INTERNAL = error(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "An internal error has occurred.")
_BUSY = error(
    HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "The model is overloaded. Please try again later."
)
_LATE = error(HTTPStatus.GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", "The request timed out. Please try again.")
_WAIT = {"@type": f"{_RPC}.RetryInfo", "retryDelay": "7.5s"}

_ANSWERS = {
    "blocked_prompt": _strange("the prompt is blocked: no candidates", "blocked", strange.blocked),
    "no_candidates": _strange("no candidates, no reason", "empty", strange.no_candidates),
    "max_tokens_half_json": _strange("MAX_TOKENS with half a JSON", "truncated", strange.half),
    "max_tokens_no_parts": _strange("MAX_TOKENS without parts", "truncated", strange.no_parts),
    "safety": _strange("SAFETY without content", "blocked", strange.blocked_by_safety),
    "recitation": _strange(
        "RECITATION with a whole answer", "blocked", partial(strange.finished, "RECITATION")
    ),
    "other_finish": _strange("OTHER with a whole answer", "unfinished", partial(strange.finished, "OTHER")),
    "unknown_finish_number": _strange("finish reason 99", "unfinished", partial(strange.finished, 99)),
    "unknown_finish_name": _strange(
        "an unknown name", "unfinished", partial(strange.finished, "MODEL_ARMOR")
    ),
    "two_candidates": _strange("two candidates that disagree", "invalid", strange.two_candidates),
    "thought_in_front": _strange("a thought before the answer", "", strange.thought_in_front),
    "confidence_72": _strange("confidence 72", "invalid", partial(strange.confidence, 72)),
    "confidence_nan": _strange("confidence NaN", "invalid", partial(strange.confidence, float("nan"))),
    "confidence_text": _strange("confidence high", "invalid", partial(strange.confidence, "high")),
    "wrong_enum": _strange("decision STRONG_BUY", "invalid", strange.wrong_enum),
    "missing_field": _strange("the last field is missing", "invalid", strange.missing_field),
    "not_json": _strange(
        "a sentence", "invalid", partial(strange.written, "I would wait for a better moment.")
    ),
    "fenced_json": _strange("JSON in a Markdown fence", "invalid", strange.fenced),
    "empty_text": _strange("an empty text", "empty", partial(strange.written, "")),
    "extra_keys": _strange("more keys than requested", "", strange.more_keys),
    "other_model": _strange("another model answered", "", strange.other_model),
}
_ERRORS = {
    "400_field": _error("400: an unknown field", "config", _BAD_FIELD),
    "400_key": _error("400: API_KEY_INVALID", "auth", invalid_key_error()),
    "400_location": _error("400: the location is not supported", "config", _LOCATION),
    "401": _error("401: ACCESS_TOKEN_TYPE_UNSUPPORTED", "auth", _unauthenticated(), times=3),
    "403": _error("403 as JSON", "auth", _FORBIDDEN),
    "403_html": _error("403 as an HTML page", "auth", html(HTTPStatus.FORBIDDEN)),
    "404": _error("404: the model was retired", "config", _RETIRED),
    "429": _error("429, retry in 7.5 s", "quota", _quota(_PER_MINUTE, _WAIT)),
    "429_day": _error("429: the daily quota", "quota", _quota(_PER_DAY)),
    "500": _error("500", "overloaded", _INTERNAL),
    "502_html": _error("502 as an HTML page", "overloaded", html(HTTPStatus.BAD_GATEWAY)),
    "503": _error("503: overloaded", "overloaded", _BUSY),
    "504": _error("504", "timeout", _LATE),
    "200_no_json": _error("200 with a line of text", "invalid", _PROXY_ERROR),
}
_DELIVERIES = {
    "reset": _delivery("the connection is reset", "network", exchange_faults.reset),
    "silence": _delivery("no answer for --seconds", "timeout", exchange_faults.silence, 120),
    "trickle": _delivery("a byte every --seconds", "timeout", exchange_faults.trickle, 1, itself=False),
}

MODEL_FAULTS: Mapping[str, ModelFault] = MappingProxyType(
    {f"model_{name}": fault for name, fault in (_ANSWERS | _ERRORS | _DELIVERIES).items()}
)
