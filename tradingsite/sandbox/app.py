"""Connects every URL of the sandbox to the function that answers it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from tradingsite.sandbox.control_api import ControlApi
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.routes import exchange_routes
from tradingsite.sandbox.gemini.generator import Generator
from tradingsite.sandbox.http.messages import Request, Response, Route, Router, text_response
from tradingsite.sandbox.limits import QUOTATION_GROUPS
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.quotation.api import Quotation
from tradingsite.sandbox.quotation.bars import Bars
from tradingsite.sandbox.quotation.candle_api import QuotationCandles
from tradingsite.sandbox.quotation.parameters import QuotationError
from tradingsite.sandbox.quotation.prices import Prices
from tradingsite.sandbox.quotation.relay import Relay
from tradingsite.sandbox.throttle import Throttle

_WELCOME = """\
This is the sandbox: a local exchange that answers like Upbit's API (/v1/...)
and a local model host that answers like Gemini's (/v1beta/models).
Its prices are invented unless it relays; no order or key that you send here reaches the real exchange.
"""


def application(
    market_data: Prices | Relay, exchange: Exchange, model: Generator, control: ControlApi, options: Options
) -> Router:
    """Return the router for all APIs, with generated prices or those relayed from another exchange."""
    throttle = Throttle(options)
    routes = [
        *(_relayed(market_data) if isinstance(market_data, Relay) else _quotation(market_data, throttle)),
        *exchange_routes(exchange, throttle, options.api_key),
        *_gemini(model),
        *control.routes(),
        Route("GET", "/", _welcome),
    ]
    return Router(routes, otherwise=_unknown(throttle))


def _quotation(prices: Prices, throttle: Throttle) -> list[Route]:
    bars = Bars(prices)
    quotation = Quotation(prices, bars)
    candles = QuotationCandles(prices, bars)
    endpoints: Mapping[str, Callable[..., object]] = {
        "/v1/market/all": quotation.market_all,
        "/v1/ticker": quotation.tickers,
        "/v1/ticker/all": quotation.all_tickers,
        "/v1/orderbook": quotation.orderbooks,
        "/v1/orderbook/instruments": quotation.instruments,
        "/v1/trades/ticks": quotation.trade_ticks,
        "/v1/candles/seconds": candles.seconds,
        "/v1/candles/minutes/{unit}": candles.minutes,
        "/v1/candles/days": candles.days,
        "/v1/candles/weeks": candles.weeks,
        "/v1/candles/months": candles.months,
        "/v1/candles/years": candles.years,
    }
    return [
        Route("GET", path, throttle.wrap(group, endpoints[path])) for path, group in QUOTATION_GROUPS.items()
    ]


def _relayed(relay: Relay) -> list[Route]:
    return [Route("GET", path, relay.forward) for path in QUOTATION_GROUPS]


def _gemini(model: Generator) -> list[Route]:
    return [
        Route("GET", "/v1beta/models", model.host.list_models),
        Route("GET", "/v1beta/models/{name}", model.host.get_model),
        Route("POST", "/v1beta/models/{name}:generateContent", model.generate),
    ]


def _welcome(request: Request) -> Response:
    return text_response(_WELCOME)


def _unknown(throttle: Throttle) -> Callable[[Request], Response]:
    def not_found(request: Request) -> object:
        raise QuotationError(HTTPStatus.NOT_FOUND, f"No such endpoint: {request.method} {request.path}")

    quotation_error = throttle.wrap("default", not_found)

    def answer(request: Request) -> Response:
        if request.path.startswith("/v1/"):
            return quotation_error(request)
        return text_response(f"Nothing is here: {request.method} {request.path}\n", HTTPStatus.NOT_FOUND)

    return answer
