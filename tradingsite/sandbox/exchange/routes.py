"""The URLs of the account API, and the checks before each: rate limit, signature, log of order POSTs.

Rules: docs/sandbox-exchange.md E4.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from tradingsite.sandbox.exchange.api import ExchangeApi
from tradingsite.sandbox.exchange.auth import authenticate, named_key
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.refusals import Denied, invalid, refusal
from tradingsite.sandbox.exchange.serialization import parse_body, query_text
from tradingsite.sandbox.exchange.state import ExchangeState, Post
from tradingsite.sandbox.http.messages import Request, Response, Route, json_response
from tradingsite.sandbox.options import MAKE_ORDERS, VIEW_ACCOUNTS, VIEW_ORDERS, ApiKey
from tradingsite.sandbox.throttle import Throttle

_PLACE = "/v1/orders"


class _Endpoint(NamedTuple):
    """One endpoint with its rate-limit group and the permission that the key needs."""

    method: str
    path: str
    group: str
    permission: str | None
    answer: Callable[[Request, ExchangeState], object]
    status: HTTPStatus = HTTPStatus.OK


def exchange_routes(exchange: Exchange, throttle: Throttle, key: ApiKey) -> list[Route]:
    api = ExchangeApi(exchange, key)
    made = HTTPStatus.CREATED
    endpoints = (
        _Endpoint("GET", "/v1/accounts", "default", VIEW_ACCOUNTS, api.accounts),
        _Endpoint("GET", "/v1/orders/chance", "default", VIEW_ORDERS, api.chance),
        _Endpoint("POST", _PLACE, "order", MAKE_ORDERS, api.place, made),
        _Endpoint("POST", "/v1/orders/test", "order-test", MAKE_ORDERS, api.test, made),
        _Endpoint("GET", "/v1/order", "default", VIEW_ORDERS, api.order),
        _Endpoint("DELETE", "/v1/order", "default", MAKE_ORDERS, api.cancel),
        _Endpoint("GET", "/v1/orders/uuids", "default", VIEW_ORDERS, api.orders_by_name),
        _Endpoint("GET", "/v1/orders/open", "default", VIEW_ORDERS, api.open_orders),
        _Endpoint("GET", "/v1/orders/closed", "default", VIEW_ORDERS, api.closed_orders),
        _Endpoint("GET", "/v1/api_keys", "default", None, api.api_keys),
        _Endpoint("GET", "/v1/status/wallet", "default", None, api.wallet_status),
    )
    guard = _Guard(exchange, throttle, key)
    return [Route(endpoint.method, endpoint.path, guard.wrap(endpoint)) for endpoint in endpoints]


class _Guard:
    """Checks every request in this order: rate limit, signature, endpoint."""

    def __init__(self, exchange: Exchange, throttle: Throttle, key: ApiKey) -> None:
        self._exchange = exchange
        self._throttle = throttle
        self._key = key

    def wrap(self, endpoint: _Endpoint) -> Callable[..., Response]:
        limited = self._throttle.limited(
            endpoint.group,
            lambda request: self._answer(endpoint, request),
            client=self._client,
            refusal=refusal,
        )
        if endpoint.path != _PLACE:
            return limited

        def recorded(request: Request) -> Response:
            response = limited(request)
            if response.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT}:
                self._exchange.record_post(post(request, response.status))
            return response

        return recorded

    def _client(self, request: Request) -> str:
        """Return whom to count the request for: the key, or the address if the key is unknown."""
        known = named_key(request) == self._key.access_key
        return f"key {self._key.access_key}" if known else request.client

    def _answer(self, endpoint: _Endpoint, request: Request) -> Response:
        """Answer from the state, which is saved before the answer is sent."""
        with self._exchange.at(request.at_ms) as state:
            response = self._response(endpoint, request, state)
            if endpoint.path == _PLACE:
                state.add_post(post(request, response.status))
        return response

    def _response(self, endpoint: _Endpoint, request: Request, state: ExchangeState) -> Response:
        try:
            authenticate(request, _signed_text(request), self._key, endpoint.permission, state.use_nonce)
            if ":" in request.query:
                raise invalid("Invalid parameter. Check the given value!")
            return json_response(endpoint.answer(request, state), endpoint.status)
        except Denied as denied:
            return denied.response()


def post(request: Request, status: int) -> Post:
    """Return the log entry for an order POST; status 0 for one that a fault kept from being processed."""
    try:
        name = parse_body(request).get("identifier")
    except Denied:
        name = None
    return Post(request.at_ms, name if isinstance(name, str) else None, int(status))


def _signed_text(request: Request) -> str:
    """Return the parameters as sent, without percent-encoding; the body's text if it is not a JSON object."""
    if request.method != "POST":
        return unquote(request.query)
    try:
        return query_text(parse_body(request)) if request.body else ""
    except Denied:
        return request.body.decode(errors="replace")
