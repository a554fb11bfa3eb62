"""Gemini's model metadata endpoints, and the check of the API key (docs/sandbox.md S18-S20)."""

import hmac
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from tradingsite.sandbox.http.messages import Request, Response, json_response

_NUMBER = re.compile(r"[0-9]{1,9}")
_DOMAIN = "googleapis.com"
_SERVICE = "generativelanguage.googleapis.com"
_GENERATION = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")


def _model(name: str, display_name: str) -> dict[str, object]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": display_name,
        "description": f"The sandbox's stand-in for {display_name}.",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": _GENERATION,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }


_EMBEDDING = {  # like Google's: no sampling fields, no generateContent
    "name": "models/gemini-embedding-001",
    "version": "001",
    "displayName": "Gemini Embedding 001",
    "inputTokenLimit": 2048,
    "outputTokenLimit": 1,
    "supportedGenerationMethods": ("embedContent", "countTextTokens", "countTokens"),
}
MODELS: Sequence[Mapping[str, object]] = (
    _model("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite"),
    _model("gemini-3.5-flash", "Gemini 3.5 Flash"),
    _model("gemini-3.8-flash", "Gemini 3.8 Flash"),
    _model("gemini-3.8-pro", "Gemini 3.8 Pro"),
    _model("gemini-2.5-flash", "Gemini 2.5 Flash"),
    _EMBEDDING,
)
_BY_NAME = {str(model["name"]): model for model in MODELS}


class Gemini:
    """The endpoints under `/v1beta`. The API key comes in the header `x-goog-api-key`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def list_models(self, request: Request) -> Response:
        return self.refusal(request) or _page(request)

    def get_model(self, request: Request, name: str) -> Response:
        return self.refusal(request) or self.missing(name) or json_response(_BY_NAME[f"models/{name}"])

    def missing(self, name: str, method: str | None = None) -> Response | None:
        """Return the 404 for a model that does not exist or lacks the method, otherwise None."""
        model = _BY_NAME.get(f"models/{name}")
        if model is not None and (method is None or method in _methods(model)):
            return None
        use = method or "this call"
        message = f"models/{name} is not found for API version v1beta, or is not supported for {use}."
        return error(HTTPStatus.NOT_FOUND, "NOT_FOUND", message)

    def refusal(self, request: Request) -> Response | None:
        """Return the error for a request without the right API key, otherwise None."""
        key = request.headers.get("x-goog-api-key")
        if not key:
            return error(
                HTTPStatus.FORBIDDEN,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established identity).",
            )
        if hmac.compare_digest(key.encode(), self._key.encode()):
            return None
        return invalid_key_error()


def error(
    status: HTTPStatus, name: str, message: str, details: Sequence[Mapping[str, object]] = ()
) -> Response:
    body: dict[str, object] = {"code": int(status), "message": message, "status": name}
    if details:
        body["details"] = details
    return json_response({"error": body}, status)


def _methods(model: Mapping[str, object]) -> Sequence[str]:
    methods = model["supportedGenerationMethods"]
    return methods if isinstance(methods, tuple) else ()


def invalid_key_error() -> Response:
    message = "API key not valid. Please pass a valid API key."
    return error(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", message, _key_details(message))


def _key_details(message: str) -> Sequence[Mapping[str, object]]:
    return (
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": _DOMAIN,
            "metadata": {"service": _SERVICE},
        },
        {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": message,
        },
    )


def _page(request: Request) -> Response:
    size, token = request.params.get("pageSize", "50"), request.params.get("pageToken", "0")
    if not (_NUMBER.fullmatch(size) and _NUMBER.fullmatch(token)):
        return error(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", "Invalid page size or page token.")
    start = int(token)
    end = start + (min(int(size), 1000) or 50)
    page: dict[str, object] = {"models": MODELS[start:end]}
    if end < len(MODELS):
        page["nextPageToken"] = str(end)
    return json_response(page)
