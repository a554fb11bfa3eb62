"""Everything the sandbox answers, put together: one area of API after the other."""

from collections.abc import Callable
from http import HTTPStatus

from tradingsite.sandbox.bars import Bars
from tradingsite.sandbox.gate import Gate
from tradingsite.sandbox.gemini import Gemini
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.params import Refused
from tradingsite.sandbox.prices import Prices
from tradingsite.sandbox.quotation import Quotation
from tradingsite.sandbox.quotation_candles import QuotationCandles
from tradingsite.sandbox.router import Route, Router
from tradingsite.sandbox.wire import Request, Response, text_response

_WELCOME = """\
This is the sandbox: a local exchange that answers like Upbit's quotation API (/v1/...)
and a local model host that answers like Gemini's (/v1beta/models).
Its prices are invented; no order or key that you send here reaches the real exchange.
"""


def application(seed: int, options: Options) -> Router:
    """Return the router of all areas over one price path."""
    prices = Prices(seed)
    gate = Gate(options)
    routes = [*_quotation(prices, gate), *_gemini(options), Route("GET", "/", _welcome)]
    return Router(routes, otherwise=_unknown(gate))


def _quotation(prices: Prices, gate: Gate) -> list[Route]:
    bars = Bars(prices)
    quotation = Quotation(prices, bars)
    candles = QuotationCandles(prices, bars)
    endpoints = (
        ("market", "/v1/market/all", quotation.market_all),
        ("ticker", "/v1/ticker", quotation.tickers),
        ("ticker", "/v1/ticker/all", quotation.all_tickers),
        ("orderbook", "/v1/orderbook", quotation.orderbooks),
        ("orderbook", "/v1/orderbook/instruments", quotation.instruments),
        ("trade", "/v1/trades/ticks", quotation.trade_ticks),
        ("candle", "/v1/candles/seconds", candles.seconds),
        ("candle", "/v1/candles/minutes/{unit}", candles.minutes),
        ("candle", "/v1/candles/days", candles.days),
        ("candle", "/v1/candles/weeks", candles.weeks),
        ("candle", "/v1/candles/months", candles.months),
        ("candle", "/v1/candles/years", candles.years),
    )
    return [Route("GET", path, gate.around(group, endpoint)) for group, path, endpoint in endpoints]


def _gemini(options: Options) -> list[Route]:
    gemini = Gemini(options.gemini_key)
    return [
        Route("GET", "/v1beta/models", gemini.list_models),
        Route("GET", "/v1beta/models/{name}", gemini.get_model),
    ]


def _welcome(request: Request) -> Response:
    return text_response(_WELCOME)


def _unknown(gate: Gate) -> Callable[[Request], Response]:
    def not_there(request: Request) -> object:
        raise Refused(HTTPStatus.NOT_FOUND, f"No such endpoint: {request.method} {request.path}")

    quotation_error = gate.around("default", not_there)

    def answer(request: Request) -> Response:
        if request.path.startswith("/v1/"):
            return quotation_error(request)
        return text_response(f"Nothing is here: {request.method} {request.path}\n", HTTPStatus.NOT_FOUND)

    return answer
