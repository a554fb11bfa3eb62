"""What Upbit says when it refuses: error bodies, `Remaining-Req` and the length of a block."""

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
_OF_THE_REQUEST = {"nonce_used", "invalid_query_payload"}
"""Refusals with a 401 that no other key would change."""


def explain(answer: Answer) -> Refusal:
    """Read `{"error": {"name": …, "message": …}}`; the name is an integer on quotation errors, else a string.

    A plain-text or HTML body, or JSON of another form, gives no name and an excerpt.
    """
    try:
        body: Any = parsed(answer.body)
        name, message = body["error"]["name"], body["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return Refusal(None, answer.excerpt())
    return Refusal(one_line(str(name)), one_line(str(message)))


def explain_exchange(answer: Answer) -> Refusal:
    """Read an error of the exchange API, where the name decides.

    Only Upbit's own words make an order NotFound: another 404, a proxy's or of a wrong path, must not prove
    that an order does not exist. A 401 or 403 is the key's fault, whoever says it.
    """
    refusal = explain(answer)
    if refusal.name == _NO_SUCH_ORDER:
        return refusal._replace(error=NotFound)
    of_key = answer.status in {401, 403} and refusal.name not in _OF_THE_REQUEST
    return refusal._replace(error=KeyRejected if of_key else Rejected)


def requests_left(answer: Answer) -> int | None:
    """Return how many requests the group has left in this second; None when the header does not say."""
    found = _SECONDS_LEFT.search(answer.headers.get("Remaining-Req", ""))
    return int(found[1]) if found else None


def wait_s(answer: Answer) -> float | None:
    """Return how long a 429 or 418 tells us to stay away, at most a day; None when it does not say.

    Where it says so is not documented: `Retry-After` in seconds is tried, then the longest duration in the
    body.
    """
    header = answer.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return min(float(header), _LONGEST_WAIT_S)
    # The message once more: JSON may escape "초".
    text = f"{answer.text()[:_SEARCHED]} {explain(answer).message}"
    return max((min(_seconds(found), _LONGEST_WAIT_S) for found in _DURATION.finditer(text)), default=None)


def _seconds(found: re.Match[str]) -> float:
    unit_s = next(size for size, unit in zip(_UNITS_S, found.groups()[1:], strict=True) if unit)
    return float(found[1]) * unit_s
