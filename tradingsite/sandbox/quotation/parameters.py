"""What a caller asked for, read strictly, and the quotation API's way to refuse (docs/sandbox.md S10)."""

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
    """The request is wrong: answered with this status and, as the error's name, the status again."""

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


def whole(request: Request, name: str, default: int, limits: range) -> int:
    """Return a whole number within `limits`; an absent or empty one is the default."""
    text = request.params.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) not in limits:
        invalid()
    return int(text)


def amount_e8(request: Request, name: str) -> int:
    """Return a plain decimal in 1e-8; an absent or empty one is 0."""
    text = request.params.get(name) or "0"
    if not _AMOUNT.fullmatch(text):
        invalid()
    return e8(text)


def flag(request: Request, name: str) -> bool:
    text = request.params.get(name, "false").lower()
    if text not in {"true", "false"}:
        invalid()
    return text == "true"


def one_market(request: Request) -> Market:
    return _known(required(request, "market"))


def some_markets(request: Request) -> list[Market]:
    """Return the markets that the parameter `markets` lists, comma-separated, in its order."""
    return [_known(code.strip()) for code in required(request, "markets").split(",")]


def _known(code: str) -> Market:
    found = markets().get(code)
    if found is None:
        raise QuotationError(HTTPStatus.NOT_FOUND, "Code not found")
    return found


def moment_ms(request: Request, name: str, default: int) -> int:
    """Return a time in ms; without an offset it is UTC. A bare `+` arrived as a space and is refused."""
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
    """Return a time of day, `HHmmss` or `HH:mm:ss`, in ms since midnight; None when absent."""
    text = request.params.get(name, "")
    if not text:
        return None
    found = _CLOCK.fullmatch(text)
    if not found:
        invalid()
    hours, minutes, seconds = (int(part) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def refuse_bare_colons(query: str) -> None:
    """Refuse a query whose values were not percent-encoded, as the exchange does."""
    if ":" in query:
        invalid()


def error_body(status: HTTPStatus, message: str) -> Mapping[str, object]:
    """Return the quotation API's error: its name is a number."""
    return {"error": {"name": int(status), "message": message}}
