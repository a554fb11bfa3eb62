"""The kinds of exchange faults, and what each does to a request (docs/sandbox-faults.md SF7-SF10)."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Protocol

from tradingsite.sandbox.exchange.orders import FillPlan
from tradingsite.sandbox.exchange.refusals import refusal
from tradingsite.sandbox.exchange.state import Post
from tradingsite.sandbox.http.messages import Delivery, Request, Response, json_response, text_response
from tradingsite.sandbox.quotation.parameters import error_body
from tradingsite.sandbox.throttle import TOO_MANY, limit_error

Process = Callable[[Request], Response]
ORDERS = "/v1/orders"
_REMAINING = "Remaining-Req"
_QUOTATION = {  # start of the path: rate-limit group
    "/v1/market/": "market",
    "/v1/ticker": "ticker",
    "/v1/candles/": "candle",
    "/v1/orderbook": "orderbook",
    "/v1/trades/": "trade",
}


class FaultableExchange(Protocol):
    offline: set[str]
    next_fills: deque[FillPlan]

    def record_post(self, post: Post) -> None: ...


@dataclass(frozen=True)
class FaultContext:
    """A request that a fault applies to, and the function that would process it normally."""

    request: Request
    process: Process
    seconds: float
    exchange: FaultableExchange


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault. `path`, `method`, `times`, `seconds` are defaults for the fault.

    If `answers_itself`, the request is not processed, unless the fault has `after`.
    """

    help: str
    effect: Callable[[FaultContext], Response]
    path: str = "/v1/*"
    method: str = "*"
    times: int = 1
    seconds: float = 0
    answers_itself: bool = False


def reset(call: FaultContext) -> Response:
    return Response(HTTPStatus.OK, b"", delivery=Delivery(reset=True))


def silence(call: FaultContext) -> Response:
    return Response(HTTPStatus.OK, b"", delivery=Delivery(reset=True, delay_s=call.seconds))


def trickle(call: FaultContext) -> Response:
    return replace(call.process(call.request), delivery=Delivery(byte_every_s=call.seconds))


def html(status: HTTPStatus) -> Response:
    """Return an error page like that of a gateway in front of an API."""
    title = f"{int(status)} {status.phrase}"
    page = f"<html>\n<head><title>{title}</title></head>\n<body><h1>{title}</h1></body>\n</html>\n"
    return Response(status, page.encode(), "text/html; charset=utf-8")


def _delayed(call: FaultContext) -> Response:
    return replace(call.process(call.request), delivery=Delivery(delay_s=call.seconds))


def _processed_then_reset(call: FaultContext) -> Response:
    call.process(call.request)
    return reset(call)


def _page(status: HTTPStatus, call: FaultContext) -> Response:
    return html(status)


def _limited(call: FaultContext) -> Response:
    """Answer 429, or 418 if the fault has a ban duration."""
    # The public API has numbers as error names, the account API has texts.
    write = _numeric_error if _quotation_group(call.request) else refusal
    return limit_error(write, blocked_s=round(call.seconds)).with_headers(_none_left(call.request))


def _numeric_error(status: HTTPStatus, name: str, message: str) -> Response:
    return json_response(error_body(status, message), status)


def _quotation_group(request: Request) -> str | None:
    return next((group for start, group in _QUOTATION.items() if request.path.startswith(start)), None)


def _none_left(request: Request) -> Mapping[str, str]:
    order_groups = {ORDERS: "order", f"{ORDERS}/test": "order-test"} if request.method == "POST" else {}
    group = _quotation_group(request) or order_groups.get(request.path, "default")
    return {_REMAINING: f"group={group}; min=600; sec=0"}


def _refused_in_text(call: FaultContext) -> Response:
    return text_response(TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS).with_headers(_none_left(call.request))


def _cut_off(call: FaultContext) -> Response:
    response = call.process(call.request)
    return replace(response, body=response.body[: len(response.body) // 2])


def _stale(call: FaultContext) -> Response:
    return call.process(replace(call.request, stale_ms=round(call.seconds * 1000)))


def _without_remaining(call: FaultContext) -> Response:
    response = call.process(call.request)
    return replace(
        response, headers={name: value for name, value in response.headers.items() if name != _REMAINING}
    )


def _filled(plan: FillPlan, call: FaultContext) -> Response:
    call.exchange.next_fills.append(plan)
    return call.process(call.request)


def _untouched(call: FaultContext) -> Response:
    return call.process(call.request)  # `Faults.add` has put the market offline for all requests


_unprocessed = partial(FaultKind, answers_itself=True)
_order = partial(FaultKind, path=ORDERS, method="POST")

EXCHANGE_FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "latency": FaultKind("processed at once, answered --seconds later", _delayed, seconds=1),
        "drop_before": _unprocessed("the connection is reset before the request is processed", reset),
        "drop_after": FaultKind(
            "processed, then the connection is reset: the answer is lost", _processed_then_reset
        ),
        "silence": _unprocessed("not processed; no answer for --seconds, then a reset", silence, seconds=120),
        "trickle": FaultKind("processed; the answer's body comes a byte every --seconds", trickle, seconds=1),
        "429": _unprocessed("429 as JSON", _limited),
        "429_text": _unprocessed("429 as a line of plain text", _refused_in_text),
        "418": _unprocessed("418, blocked for --seconds; the block itself is not kept", _limited, seconds=10),
        "500": _unprocessed("500 with an HTML page", partial(_page, HTTPStatus.INTERNAL_SERVER_ERROR)),
        "502": _unprocessed("502 with an HTML page", partial(_page, HTTPStatus.BAD_GATEWAY)),
        "503": _unprocessed("503 with an HTML page", partial(_page, HTTPStatus.SERVICE_UNAVAILABLE)),
        "malformed_json": FaultKind("processed; half of the answer's body is missing", _cut_off),
        "stale_ticker": FaultKind(
            "prices as they were --seconds ago", _stale, "/v1/ticker*", "GET", seconds=60
        ),
        "no_remaining_req": FaultKind("the header Remaining-Req is missing", _without_remaining),
        "partial_then_cancel": _order(
            "the next accepted order is filled by half, then cancelled",
            partial(_filled, "partial_then_cancel"),
        ),
        "never_fill": _order("the next accepted order waits for ever", partial(_filled, "never")),
        "market_offline": _order(
            "--market accepts no orders until the faults are cleared", _untouched, times=0
        ),
    }
)
