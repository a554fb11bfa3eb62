"""Parses the parameters of quotation requests strictly, and forms the quotation API's errors.

Rules: docs/sandbox.md S10.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NoReturn

from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.quotation.markets import Market, markets
from tradingsite.sandbox.quotation.price_grid import e8

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d)")


class QuotationError(Exception):
    """The request is invalid. The answer has this status, and the status number as the error's name."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid() -> NoReturn:
    raise QuotationError(HTTPStatus.BAD_REQUEST, "Invalid parameter. Check the given value!")


def required(request: Request, name: str) -> str:
    value = request.params.get(name, "").strip()
    if not value:
        raise QuotationError(
            HTTPStatus.BAD_REQUEST, "Missing request parameter error. Check the required parameters!"
        )
    return value


def whole_number(request: Request, name: str, default: int, limits: range) -> int:
    """Return a whole number within `limits`; `default` if absent or empty."""
    text = request.params.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) not in limits:
        invalid()
    return int(text)


def amount_e8(request: Request, name: str) -> int:
    """Return a decimal number in 1e-8; 0 if absent or empty."""
    text = request.params.get(name) or "0"
    if not _AMOUNT.fullmatch(text):
        invalid()
    return e8(text)


def flag(request: Request, name: str) -> bool:
    text = request.params.get(name, "false").lower()
    if text not in {"true", "false"}:
        invalid()
    return text == "true"


def requested_market(request: Request) -> Market:
    return _market_named(required(request, "market"))


def requested_markets(request: Request) -> list[Market]:
    """Return the markets listed in the parameter `markets`, comma-separated, in that order."""
    return [_market_named(code.strip()) for code in required(request, "markets").split(",")]


def _market_named(code: str) -> Market:
    found = markets().get(code)
    if found is None:
        raise QuotationError(HTTPStatus.NOT_FOUND, "Code not found")
    return found


def moment_ms(request: Request, name: str, default: int) -> int:
    """Return a time in ms; UTC if it has no offset. An unencoded `+` arrives as a space and is refused."""
    text = request.params.get(name, "")
    if not text:
        return default
    if not _MOMENT.fullmatch(text):
        invalid()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # a thirteenth month
        invalid()
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int((aware - _EPOCH).total_seconds() * 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock_ms(request: Request, name: str) -> int | None:
    """Return a time of day, `HHmmss` or `HH:mm:ss`, in ms since midnight; None if absent."""
    text = request.params.get(name, "")
    if not text:
        return None
    found = _CLOCK.fullmatch(text)
    if not found:
        invalid()
    hours, minutes, seconds = (int(part) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def refuse_bare_colons(query: str) -> None:
    """Refuse a query whose values are not percent-encoded, as Upbit does."""
    if ":" in query:
        invalid()


def error_body(status: HTTPStatus, message: str) -> Mapping[str, object]:
    """Return the quotation API's error body, whose name is a number."""
    return {"error": {"name": int(status), "message": message}}
