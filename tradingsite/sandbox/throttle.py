"""Wraps every endpoint of `/v1`: rate limit, errors, and the `Remaining-Req` header.

Rules: docs/sandbox.md S10, S13, S16.
"""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from tradingsite.sandbox.http.messages import Request, Response, json_response, text_response
from tradingsite.sandbox.limits import LIMITS, LimitVerdict, RateLimiter
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.quotation.parameters import QuotationError, error_body, refuse_bare_colons

TOO_MANY = "Too many API requests."


class Throttle:
    """Counts requests, answers 429 or 418, and adds `Remaining-Req` to every answer, errors too."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._limiter = RateLimiter(
            {**LIMITS, **options.limits},
            refusals_before_block=options.refusals_before_block,
            first_block_s=options.first_block_s,
        )

    def wrap(self, group: str, endpoint: Callable[..., object]) -> Callable[..., Response]:
        """Return the handler of a quotation endpoint that returns a JSON value or raises `QuotationError`."""

        def handler(request: Request, **names: str) -> Response:
            def answer(request: Request) -> Response:
                return self._answer(endpoint, request, names)

            return self.limited(group, answer, client=_address, refusal=_quotation_error)(request)

        return handler

    def limited(
        self,
        group: str,
        answer: Callable[[Request], Response],
        *,
        client: Callable[[Request], str],
        refusal: Callable[[HTTPStatus, str, str], Response],
    ) -> Callable[[Request], Response]:
        """Return a handler that counts by `client`.

        `refusal` forms a 429 or 418 from status, name and message.
        """

        def handler(request: Request) -> Response:
            # Requests from a web page have a rate limit of their own.
            own_group = "origin" if "origin" in request.headers else group
            verdict = self._limiter.judge(client(request), own_group, request.at_ms / 1000)
            response = answer(request) if verdict.allowed else self._stopped(verdict, refusal)
            return response.with_headers({"Remaining-Req": verdict.remaining_req})

        return handler

    def _answer(self, endpoint: Callable[..., object], request: Request, names: dict[str, str]) -> Response:
        dated = replace(request, at_ms=request.at_ms - request.stale_ms) if request.stale_ms else request
        try:
            refuse_bare_colons(request.query)
            value = endpoint(dated, **names)
        except QuotationError as refused:
            return _error(refused.status, refused.message)
        return json_response(value, numeric_strings=self._options.numeric_strings)

    def _stopped(
        self, verdict: LimitVerdict, refusal: Callable[[HTTPStatus, str, str], Response]
    ) -> Response:
        if verdict.blocked_s:
            return limit_error(refusal, blocked_s=verdict.blocked_s)
        if self._options.plain_text_429:
            return text_response(TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
        return limit_error(refusal)


def limit_error(refusal: Callable[[HTTPStatus, str, str], Response], *, blocked_s: int = 0) -> Response:
    """Return a 429, or a 418 for a ban that lasts `blocked_s` more."""
    if blocked_s:
        message = f"{TOO_MANY} Your address is blocked for {blocked_s} seconds."
        return refusal(HTTPStatus.IM_A_TEAPOT, "too_many_requests", message)
    return refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", TOO_MANY)


def _address(request: Request) -> str:
    return request.client


def _quotation_error(status: HTTPStatus, name: str, message: str) -> Response:
    return _error(status, message)  # its name is the number


def _error(status: HTTPStatus, message: str) -> Response:
    return json_response(error_body(status, message), status)
