"""Requests and responses as values, JSON with exact numbers, and which function answers what."""

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
    """One request as it arrived. `target` is path and query untouched, `path` is percent-decoded."""

    method: str
    target: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    client: str
    at_ms: int
    stale_ms: int = 0  # a fault's: data is to be given as it was so long ago

    @cached_property
    def params(self) -> Mapping[str, str]:
        """The query's parameters, `+` read as a space; of a repeated name the last counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Delivery:
    """How an answer goes out, when a fault says how: late, a byte at a time, or not at all (a reset)."""

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
    """Return JSON in which a Decimal is a plain number with all its digits, never `1E-8`.

    With `numeric_strings` Decimals become strings with eight places, as some answers of the exchange have
    them. The standard encoder cannot write a Decimal exactly.
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
    """`path` may hold names in braces; each matches one segment and becomes a keyword of the handler."""

    method: str
    path: str
    handler: Callable[..., Response]


class Router:
    """Finds the handler; the first route that fits wins."""

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
