"""Gemini's error bodies, in words an operator can act on."""

import re
from typing import Any

from tradingsite.clients.answer import Answer, Refusal, one_line, parsed
from tradingsite.clients.errors import KeyRejected

_KEY_REASONS = {
    "API_KEY_INVALID": "the API key is not valid",
    # Google's own text asks for an "OAuth 2 access token", which leads the reader astray.
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": "keys of this kind are no longer accepted; make a new one in AI Studio",
}
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


def explain(answer: Answer) -> Refusal:
    """Read `{"error": {"status": …, "message": …, "details": […]}}`.

    A reason in the details names the error better than the status does.
    """
    try:
        body: Any = parsed(answer.body)
        error = body["error"]
        name, message = one_line(str(error["status"])), one_line(str(error["message"]))
    except (ValueError, TypeError, KeyError):
        name, message, error = None, answer.excerpt(), {}
    listed = error.get("details")
    details = [detail for detail in listed if isinstance(detail, dict)] if isinstance(listed, list) else []
    reason = next((one_line(str(detail["reason"])) for detail in details if "reason" in detail), None)
    of_key = answer.status in {401, 403} or reason in _KEY_REASONS
    return Refusal(
        name=reason or name,
        message=_KEY_REASONS.get(reason or "", message),
        error=KeyRejected if of_key else None,
        retry_after_s=_retry_after_s(details),
    )


def _retry_after_s(details: list[dict[str, Any]]) -> float:
    for detail in details:
        found = _DELAY.fullmatch(str(detail.get("retryDelay")))
        if found:
            return float(found[1])
    return 1.0
