"""Reads Gemini's error bodies and turns them into messages that an operator can act on."""

import re
from typing import Any

from tradingsite.clients.errors import KeyRejected
from tradingsite.clients.response import Answer, Refusal, one_line, parsed

_KEY_REASONS = {
    "API_KEY_INVALID": "the API key is not valid",
    # Google's own text asks for an "OAuth 2 access token", which is not the problem.
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": "keys of this kind are no longer accepted; make a new one in AI Studio",
}
_DELAY = re.compile(r"(\d{1,9}(?:\.\d+)?)s")


def explain(answer: Answer) -> Refusal:
    """Read `{"error": {"status": …, "message": …, "details": […]}}`.

    A reason in the details is more precise than the status, so it becomes the name.
    """
    error = _error(answer)
    try:
        name, message = one_line(str(error["status"])), one_line(str(error["message"]))
    except KeyError:
        name, message = None, answer.excerpt()
    reason = next((one_line(str(each["reason"])) for each in _details(answer) if "reason" in each), None)
    of_key = answer.status in {401, 403} or reason in _KEY_REASONS
    return Refusal(
        name=reason or name,
        message=_KEY_REASONS.get(reason or "", message),
        error=KeyRejected if of_key else None,
        retry_after_s=stated_delay_s(answer) or 1.0,
    )


def stated_delay_s(answer: Answer) -> float | None:
    """Return the error's `retryDelay` in seconds; None if it has none."""
    delays = (_DELAY.fullmatch(str(detail.get("retryDelay"))) for detail in _details(answer))
    return next((float(found[1]) for found in delays if found), None)


def is_daily_quota(answer: Answer) -> bool:
    """Return whether a 429 names a quota that is counted per day."""
    return any("PerDay" in str(detail.get("violations")) for detail in _details(answer))


def _error(answer: Answer) -> dict[str, Any]:
    try:
        body: Any = parsed(answer.body)
        error = body["error"]
    except (ValueError, TypeError, KeyError):
        return {}
    return error if isinstance(error, dict) else {}


def _details(answer: Answer) -> list[dict[str, Any]]:
    listed = _error(answer).get("details")
    return [detail for detail in listed if isinstance(detail, dict)] if isinstance(listed, list) else []
