"""What stands around every quotation endpoint: the rate limit, refusals, and the headers on each answer."""

from collections.abc import Callable
from http import HTTPStatus

from tradingsite.sandbox.limits import LIMITS, RateLimiter, Verdict
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.params import Refused, error_body, refuse_bare_colons
from tradingsite.sandbox.wire import Request, Response, json_response, text_response

_TOO_MANY = "Too many API requests."


class Gate:
    """Counts, refuses and encodes. Every answer carries `Remaining-Req`, errors too (S13)."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._limiter = RateLimiter(
            {**LIMITS, **options.limits},
            refusals_before_block=options.refusals_before_block,
            first_block_s=options.first_block_s,
        )

    def around(self, group: str, endpoint: Callable[..., object]) -> Callable[..., Response]:
        """Return a handler: `endpoint` gives what becomes JSON or raises `Refused`."""

        def handler(request: Request, **names: str) -> Response:
            own_group = "origin" if "origin" in request.headers else group  # a browser's script (S16)
            verdict = self._limiter.judge(request.client, own_group, request.at_ms / 1000)
            response = self._answer(endpoint, request, names) if verdict.allowed else self._stopped(verdict)
            return response.with_headers({"Remaining-Req": verdict.remaining_req})

        return handler

    def _answer(self, endpoint: Callable[..., object], request: Request, names: dict[str, str]) -> Response:
        try:
            refuse_bare_colons(request.query)
            value = endpoint(request, **names)
        except Refused as refusal:
            return _error(refusal.status, refusal.message)
        return json_response(value, numeric_strings=self._options.numeric_strings)

    def _stopped(self, verdict: Verdict) -> Response:
        if verdict.blocked_s:
            return _error(
                HTTPStatus.IM_A_TEAPOT,
                f"{_TOO_MANY} Your address is blocked for {verdict.blocked_s} seconds.",
            )
        if self._options.plain_text_429:
            return text_response(_TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
        return _error(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY)


def _error(status: HTTPStatus, message: str) -> Response:
    return json_response(error_body(status, message), status)
