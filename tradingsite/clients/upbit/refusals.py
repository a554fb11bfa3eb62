"""Reads Upbit's error bodies, the `Remaining-Req` header, and how long a ban or limit lasts.

Rules: docs/upbit-client.md U4-U6, U13.
"""

import re
from typing import Any

from tradingsite.clients.errors import KeyRejected, NotFound, Rejected
from tradingsite.clients.response import Answer, Refusal, one_line, parsed

_SECONDS_LEFT = re.compile(r"\bsec\s*=\s*(\d{1,6})\b", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(?:(s\b|sec|초)|(m\b|min|분)|(h\b|hour|시간))", re.IGNORECASE)
_UNITS_S = (1, 60, 3600)
_LONGEST_WAIT_S = 86_400.0
_SEARCHED = 2_000  # characters of a body; Upbit states a wait in its first hundred
_NO_SUCH_ORDER = "order_not_found"
_REQUEST_ERRORS = {"nonce_used", "invalid_query_payload"}
"""Errors with status 401 that another key would not fix."""


def explain(answer: Answer) -> Refusal:
    """Read `{"error": {"name": …, "message": …}}`.

    The name is an integer in quotation errors, otherwise a string.

    Plain text, HTML, or JSON of another form gives no name and an excerpt.
    """
    try:
        body: Any = parsed(answer.body)
        name, message = body["error"]["name"], body["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return Refusal(None, answer.excerpt())
    return Refusal(one_line(str(name)), one_line(str(message)))


def explain_exchange(answer: Answer) -> Refusal:
    """Read an error of the exchange API, where the error name decides.

    NotFound needs Upbit's own error name: a 404 of a proxy or for a wrong path must not prove that an order
    does not exist. A 401 or 403 counts against the key, whoever sent it.
    """
    refusal = explain(answer)
    if refusal.name == _NO_SUCH_ORDER:
        return refusal._replace(error=NotFound)
    of_key = answer.status in {401, 403} and refusal.name not in _REQUEST_ERRORS
    return refusal._replace(error=KeyRejected if of_key else Rejected)


def requests_left(answer: Answer) -> int | None:
    """Return how many requests the group has left in this second; None if the header is missing."""
    found = _SECONDS_LEFT.search(answer.headers.get("Remaining-Req", ""))
    return int(found[1]) if found else None


def wait_s(answer: Answer) -> float | None:
    """Return the seconds that a 429 or 418 tells us to wait, at most a day; None if it states no time.

    Upbit does not document where it states it, so `Retry-After` in seconds comes first, then the longest
    duration in the body.
    """
    header = answer.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return min(float(header), _LONGEST_WAIT_S)
    # The parsed message as well, because JSON may escape "초".
    text = f"{answer.text()[:_SEARCHED]} {explain(answer).message}"
    return max((min(_seconds(found), _LONGEST_WAIT_S) for found in _DURATION.finditer(text)), default=None)


def _seconds(found: re.Match[str]) -> float:
    unit_s = next(size for size, unit in zip(_UNITS_S, found.groups()[1:], strict=True) if unit)
    return float(found[1]) * unit_s
