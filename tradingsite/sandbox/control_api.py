"""The control API `/sandbox/…`, for the person or test that runs the sandbox.

It arms faults, sets the model's next decisions, and shows what happened.

Rules: docs/sandbox-faults.md SF14-SF16.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from types import NoneType
from typing import Any

from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.exchange.serialization import order_json, plain, trades_json
from tradingsite.sandbox.faults.arming import Fault, Faults
from tradingsite.sandbox.gemini.generator import Generator
from tradingsite.sandbox.http.messages import Request, Response, Route, json_response

_LOCAL = {"127.0.0.1", "localhost"}
_TEXT, _WHOLE = (str,), (int,)
_FAULT: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("kind", "path", "method", "market"), _TEXT),
    **dict.fromkeys(("nth", "every"), _WHOLE),
    "times": (int, NoneType),
    "seconds": (float, int, NoneType),
    "after": (bool,),
}
_ANSWER: Mapping[str, tuple[type, ...]] = {
    "decision": _TEXT,
    "confidence": (float, int, str),
    "times": _WHOLE,
}
_Endpoint = Callable[[Request], object]


@dataclass(frozen=True)
class RequestLogLine:
    """One line of the request log.

    `status` is None if a fault sent no answer; `fault` is the fault's kind.
    """

    request: Request
    status: HTTPStatus | None
    fault: str = ""


class _InvalidBody(ValueError):
    """The request body is not what the endpoint accepts."""


class ControlApi:
    """The control endpoints. Faults never apply to them."""

    def __init__(
        self, faults: Faults, model: Generator, exchange: Exchange, requests: Iterable[RequestLogLine]
    ) -> None:
        self._faults = faults
        self._model = model
        self._exchange = exchange
        self._requests = requests

    def routes(self) -> list[Route]:
        endpoints = (
            ("GET", "/sandbox/faults", self.faults),
            ("POST", "/sandbox/faults", self.add_fault),
            ("DELETE", "/sandbox/faults", self.clear_faults),
            ("POST", "/sandbox/answer", self.queue_answer),
            ("GET", "/sandbox/requests", self.requests),
            ("GET", "/sandbox/exchange", self.exchange),
        )
        return [Route(method, path, _guarded(endpoint)) for method, path, endpoint in endpoints]

    def faults(self, request: Request) -> object:
        return {"faults": self._faults.armed()}

    def add_fault(self, request: Request) -> object:
        self._faults.add(Fault(**_members(request, _FAULT, required="kind")))
        return self.faults(request)

    def clear_faults(self, request: Request) -> object:
        self._faults.clear()
        return self.faults(request)

    def queue_answer(self, request: Request) -> object:
        members = _members(request, _ANSWER, required="decision")
        if "confidence" in members:
            members["confidence"] = _number(members["confidence"])
        self._model.queue_decision(**members)
        return {"queued": [asdict(opinion) for opinion in list(self._model.queued)]}

    def requests(self, request: Request) -> object:
        """Return the request log, oldest first, without headers and bodies, because they can hold keys."""
        return {"requests": [_logged(answered) for answered in list(self._requests)]}

    def exchange(self, request: Request) -> object:
        """Return balances, every accepted order, and every order POST received; amounts as text."""
        return {
            "balances": [
                {"currency": currency, **{name: plain(amount) for name, amount in asdict(purse).items()}}
                for currency, purse in self._exchange.balances().items()
            ],
            "orders": [_order_report(order) for order in self._exchange.orders()],
            "posts": [post._asdict() for post in self._exchange.posts],
            "offline": sorted(self._exchange.offline),
        }


def _order_report(order: Order) -> Mapping[str, object]:
    return {
        "identifier": None,
        **order_json(order),
        "executed_funds": plain(order.executed_funds),
        "trades": trades_json(order),
    }


def _logged(line: RequestLogLine) -> Mapping[str, object]:
    request = line.request
    return {
        "at_ms": request.at_ms,
        "method": request.method,
        "target": request.target,
        "status": line.status,
        "fault": line.fault,
    }


def _guarded(endpoint: _Endpoint) -> Callable[[Request], Response]:
    """Refuse requests from web pages: only programs on this machine may control the sandbox."""

    def handler(request: Request) -> Response:
        host = request.headers.get("host", "").rpartition(":")
        if "origin" in request.headers or (host[0] or host[2]) not in _LOCAL:
            return _error(HTTPStatus.FORBIDDEN, "the sandbox's control takes no requests from browsers")
        try:
            return json_response(endpoint(request))
        except ValueError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))

    return handler


def _members(request: Request, known: Mapping[str, tuple[type, ...]], *, required: str) -> dict[str, Any]:
    """Return the body's JSON object after checking its names and types against `known`."""
    sent = json.loads(request.body)
    if not isinstance(sent, dict):
        raise _InvalidBody("the body is not a JSON object")
    for name, value in sent.items():
        if name not in known:
            raise _InvalidBody(f"{name} is not known: only {', '.join(known)}")
        if type(value) not in known[name]:
            raise _InvalidBody(f"{name} is {value!r}: it must be {known[name][0].__name__}")
    if required not in sent:
        raise _InvalidBody(f"{required} is missing")
    return sent


def _number(value: float | str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise _InvalidBody(f"confidence is {value!r}: it must be a number") from error
    if not number.is_finite():
        raise _InvalidBody(f"confidence is {value}: it must be between 0 and 1")
    return number


def _error(status: HTTPStatus, message: str) -> Response:
    return json_response({"error": message}, status)
