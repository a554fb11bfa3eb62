"""HTTP requests and responses as values, JSON with exact decimals, and the router."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One request. `target` is path and query as received, `path` is percent-decoded."""

    method: str
    target: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    client: str
    at_ms: int
    stale_ms: int = 0  # set by the fault stale_ticker: answer with data of that age

    @cached_property
    def params(self) -> Mapping[str, str]:
        """The query's parameters, `+` read as a space; the last of a repeated name counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Delivery:
    """How a fault sends an answer: late, one byte at a time, or as a connection reset."""

    delay_s: float = 0
    byte_every_s: float = 0
    reset: bool = False


AT_ONCE = Delivery()


@dataclass(frozen=True)
class Response:
    status: HTTPStatus
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = AT_ONCE

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        return replace(self, headers={**self.headers, **headers})


def json_response(
    value: object, status: HTTPStatus = HTTPStatus.OK, *, numeric_strings: bool = False
) -> Response:
    return Response(status, json_text(value, numeric_strings=numeric_strings).encode())


def text_response(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8")


def json_text(value: object, *, numeric_strings: bool = False) -> str:
    """Return JSON with Decimals as plain numbers, all digits, never `1E-8`.

    With `numeric_strings` Decimals become strings with eight decimals, as in some of Upbit's answers. The
    standard encoder cannot write Decimals exactly.
    """
    if isinstance(value, Mapping):
        members = (
            f"{json.dumps(name)}:{json_text(member, numeric_strings=numeric_strings)}"
            for name, member in value.items()
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, Decimal):
        return f'"{value:.8f}"' if numeric_strings else f"{value:f}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "[" + ",".join(json_text(item, numeric_strings=numeric_strings) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Route:
    """`path` may contain names in braces; each matches one path segment and becomes a keyword argument."""

    method: str
    path: str
    handler: Callable[..., Response]


class Router:
    """Finds the handler; the first matching route wins."""

    def __init__(self, routes: list[Route], otherwise: Callable[[Request], Response]) -> None:
        self._routes = [(route, _pattern(route.path)) for route in routes]
        self._otherwise = otherwise

    def answer(self, request: Request) -> Response:
        for route, pattern in self._routes:
            found = pattern.fullmatch(request.path)
            if found and route.method == request.method:
                return route.handler(request, **found.groupdict())
        return self._otherwise(request)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
