"""The sandbox's public quotation API: markets, tickers, order books and trades (docs/sandbox.md S9-S11)."""

from itertools import islice, zip_longest

from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.quotation.bars import Bars
from tradingsite.sandbox.quotation.book import UNITS, Books, Level, supported_steps
from tradingsite.sandbox.quotation.dates import format_ms
from tradingsite.sandbox.quotation.markets import Market, markets
from tradingsite.sandbox.quotation.parameters import (
    amount_e8,
    clock_ms,
    flag,
    invalid,
    requested_market,
    requested_markets,
    required,
    whole_number,
)
from tradingsite.sandbox.quotation.price_grid import from_e8
from tradingsite.sandbox.quotation.prices import DAY_MS, Prices
from tradingsite.sandbox.quotation.ticker import ticker
from tradingsite.sandbox.quotation.trades import TradeTick

_CAUTIONS = (
    "PRICE_FLUCTUATIONS",
    "TRADING_VOLUME_SOARING",
    "DEPOSIT_AMOUNT_SOARING",
    "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)


class Quotation:
    """Each method takes a request and returns the answer's JSON value."""

    def __init__(self, prices: Prices, bars: Bars) -> None:
        self._prices = prices
        self._bars = bars
        self._books = Books(prices)

    def market_all(self, request: Request) -> list[dict[str, object]]:
        details = flag(request, "is_details")
        return [self._market(listed, request.at_ms, details=details) for listed in markets().values()]

    def tickers(self, request: Request) -> list[dict[str, object]]:
        return [self._ticker(market, request.at_ms) for market in requested_markets(request)]

    def all_tickers(self, request: Request) -> list[dict[str, object]]:
        quotes = {quote.strip() for quote in required(request, "quote_currencies").split(",")}
        if not quotes <= {listed.quote for listed in markets().values()}:
            invalid()
        return [
            self._ticker(listed, request.at_ms) for listed in markets().values() if listed.quote in quotes
        ]

    def orderbooks(self, request: Request) -> list[dict[str, object]]:
        """Return the order books, without markets that do not support the requested level."""
        found = requested_markets(request)
        units = whole_number(request, "count", UNITS, range(1, UNITS + 1))
        step = amount_e8(request, "level")
        return [
            self._orderbook(one, request.at_ms, step, units)
            for one in found
            if step in self._steps(one, request)
        ]

    def instruments(self, request: Request) -> list[dict[str, object]]:
        return [
            {
                "market": market.code,
                "quote_currency": market.quote,
                "tick_size": from_e8(market.grid.tick(self._price(market, request))),
                "supported_levels": [f"{from_e8(step):f}" for step in self._steps(market, request)],
            }
            for market in requested_markets(request)
        ]

    def trade_ticks(self, request: Request) -> list[dict[str, object]]:
        """Return the newest trades of one UTC day; `cursor` and `to` are exclusive."""
        market = requested_market(request)
        count = whole_number(request, "count", 1, range(1, 501))
        day = request.at_ms // DAY_MS - whole_number(request, "days_ago", 0, range(1, 8))
        cursor = whole_number(request, "cursor", 10**18, range(10**18))
        to_ms = clock_ms(request, "to")
        end_ms = day * DAY_MS + (DAY_MS if to_ms is None else to_ms)
        end_ms = min(end_ms, request.at_ms + 1, -(-cursor // 10_000))
        previous = self._bars.close_of_day(market, day - 1)
        found = self._prices.trades_before(market, end_ms, day * DAY_MS)
        return [_trade(market, trade, previous) for trade in islice(found, count)]

    def _market(self, listed: Market, at_ms: int, *, details: bool) -> dict[str, object]:
        names: dict[str, object] = {
            "market": listed.code,
            "korean_name": listed.korean_name,
            "english_name": listed.english_name,
        }
        if not details:
            return names
        draws = self._prices.noise(listed).draws("event", at_ms // DAY_MS, 1 + len(_CAUTIONS))
        cautions = {name: draw < 0.01 for name, draw in zip(_CAUTIONS, draws[1:], strict=True)}
        return {**names, "market_event": {"warning": draws[0] < 0.01, "caution": cautions}}

    def _ticker(self, market: Market, at_ms: int) -> dict[str, object]:
        return ticker(self._prices, self._bars, market, at_ms)

    def _price(self, market: Market, request: Request) -> int:
        return self._prices.last_trade(market, request.at_ms).price_e8

    def _steps(self, market: Market, request: Request) -> tuple[int, ...]:
        return supported_steps(market, self._price(market, request))

    def _orderbook(self, market: Market, at_ms: int, step_e8: int, units: int) -> dict[str, object]:
        book = self._books.book(market, at_ms, step_e8)
        pairs = zip_longest(book.asks, book.bids, fillvalue=Level(0, 0))
        return {
            "market": market.code,
            "timestamp": book.timestamp_ms,
            "total_ask_size": from_e8(sum(level.size_e8 for level in book.asks)),
            "total_bid_size": from_e8(sum(level.size_e8 for level in book.bids)),
            "orderbook_units": [_unit(ask, bid) for ask, bid in islice(pairs, units)],
            "level": from_e8(step_e8),
        }


def _unit(ask: Level, bid: Level) -> dict[str, object]:
    return {
        "ask_price": from_e8(ask.price_e8),
        "bid_price": from_e8(bid.price_e8),
        "ask_size": from_e8(ask.size_e8),
        "bid_size": from_e8(bid.size_e8),
    }


def _trade(market: Market, trade: TradeTick, previous_e8: int) -> dict[str, object]:
    return {
        "market": market.code,
        "trade_date_utc": format_ms(trade.at_ms, "%Y-%m-%d"),
        "trade_time_utc": format_ms(trade.at_ms, "%H:%M:%S"),
        "timestamp": trade.at_ms,
        "trade_price": from_e8(trade.price_e8),
        "trade_volume": from_e8(trade.volume_e8),
        "prev_closing_price": from_e8(previous_e8),
        "change_price": from_e8(trade.price_e8 - previous_e8),
        "ask_bid": trade.side,
        "sequential_id": trade.sequential_id,
    }
