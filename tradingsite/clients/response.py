"""An HTTP answer, and how it becomes a typed value or one of the clients' errors.

Rules: docs/upbit-client.md U2, U5.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from tradingsite.clients.errors import (
    ClientError,
    InvalidResponse,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
)

T = TypeVar("T")

_EXCERPT_LENGTH = 200


def one_line(text: str) -> str:
    """Return the beginning of a venue's text as one printable line, safe for error texts and logs."""
    return "".join(c if c.isprintable() else " " for c in text[:_EXCERPT_LENGTH])


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer. `what` names the request in error texts: "GET /v1/ticker"."""

    what: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """Return the body as text; "" for an HTML page, which some proxy wrote and not the venue."""
        text = self.body.decode(errors="replace").strip()
        return "" if text.startswith("<") else text

    def excerpt(self) -> str:
        return one_line(self.text()) or ("an HTML page" if self.body.strip() else "an empty body")


class Refusal(NamedTuple):
    """An error body, parsed as far as possible. `name` is None if the body is not in the venue's form."""

    name: str | None
    message: str
    error: type[Rejected] | None = None
    retry_after_s: float = 1.0


Explain = Callable[[Answer], Refusal]


def value(answer: Answer, schema: TypeAdapter[T], explain: Explain) -> T:
    """Validate the JSON body of a 2xx answer against `schema`; `explain` reads the venue's error bodies.

    Raises:
        Retryable: 5xx, or 429.
        Rejected: another 4xx.
        InvalidResponse: a 3xx, or a body that is not JSON or does not match the schema.
    """
    if not 200 <= answer.status < 300:
        raise failure(answer, explain)
    try:
        body = parsed(answer.body)
    except ValueError as error:
        raise InvalidResponse(f"{answer.what}: not JSON but {answer.excerpt()}") from error
    try:
        return schema.validate_python(body)
    except ValidationError as error:
        raise InvalidResponse(f"{answer.what}: {_mismatch(error)}") from None


def failure(answer: Answer, explain: Explain) -> ClientError:
    """Return the error for an answer other than 2xx. The status decides, not the body."""
    if answer.status < 400:
        return InvalidResponse(f"{answer.what}: {answer.status}, which is neither an answer nor an error")
    refusal = explain(answer)
    text = f"{answer.what}: {answer.status}: {refusal.message}"
    if answer.status >= 500:
        return Unavailable(text, status=answer.status)
    if answer.status == 429:
        return RateLimited(text, retry_after_s=refusal.retry_after_s)
    error = refusal.error or (NotFound if answer.status == 404 else Rejected)
    return error(text, name=refusal.name, message=refusal.message, status=answer.status)


def parsed(body: bytes) -> object:
    """Parse JSON with exact numbers: Decimals, never floats. Raises ValueError for everything else."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("a number too large or nesting too deep") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _mismatch(error: ValidationError) -> str:
    # The place and the rule, never the value: it may be a balance.
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the answer"
    return f"{place}: {first['msg']} ({error.error_count()} in all)"
