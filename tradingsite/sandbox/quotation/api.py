"""Upbit's quotation API, which needs no key: markets, tickers, order books and trades."""

from itertools import islice, zip_longest

from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.quotation.bars import Bars
from tradingsite.sandbox.quotation.book import UNITS, Books, Level, supported_steps
from tradingsite.sandbox.quotation.dates import written
from tradingsite.sandbox.quotation.markets import Market, markets
from tradingsite.sandbox.quotation.parameters import (
    amount_e8,
    clock_ms,
    flag,
    invalid,
    one_market,
    required,
    some_markets,
    whole,
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
    """The endpoints: each takes a request and returns what becomes the JSON of the answer."""

    def __init__(self, prices: Prices, bars: Bars) -> None:
        self._prices = prices
        self._bars = bars
        self._books = Books(prices)

    def market_all(self, request: Request) -> list[dict[str, object]]:
        details = flag(request, "is_details")
        return [self._market(listed, request.at_ms, details=details) for listed in markets().values()]

    def tickers(self, request: Request) -> list[dict[str, object]]:
        return [self._ticker(asked, request.at_ms) for asked in some_markets(request)]

    def all_tickers(self, request: Request) -> list[dict[str, object]]:
        quotes = {quote.strip() for quote in required(request, "quote_currencies").split(",")}
        if not quotes <= {listed.quote for listed in markets().values()}:
            invalid()
        return [
            self._ticker(listed, request.at_ms) for listed in markets().values() if listed.quote in quotes
        ]

    def orderbooks(self, request: Request) -> list[dict[str, object]]:
        """Return the books; a level that a market does not support leaves that market out."""
        asked = some_markets(request)
        units = whole(request, "count", UNITS, range(1, UNITS + 1))
        step = amount_e8(request, "level")
        return [
            self._orderbook(one, request.at_ms, step, units)
            for one in asked
            if step in self._steps(one, request)
        ]

    def instruments(self, request: Request) -> list[dict[str, object]]:
        return [
            {
                "market": asked.code,
                "quote_currency": asked.quote,
                "tick_size": from_e8(asked.grid.tick(self._price(asked, request))),
                "supported_levels": [f"{from_e8(step):f}" for step in self._steps(asked, request)],
            }
            for asked in some_markets(request)
        ]

    def trade_ticks(self, request: Request) -> list[dict[str, object]]:
        """Return the newest trades of one UTC day; `cursor` and `to` are exclusive."""
        asked = one_market(request)
        count = whole(request, "count", 1, range(1, 501))
        day = request.at_ms // DAY_MS - whole(request, "days_ago", 0, range(1, 8))
        cursor = whole(request, "cursor", 10**18, range(10**18))
        to_ms = clock_ms(request, "to")
        end_ms = day * DAY_MS + (DAY_MS if to_ms is None else to_ms)
        end_ms = min(end_ms, request.at_ms + 1, -(-cursor // 10_000))
        previous = self._bars.close_of_day(asked, day - 1)
        found = self._prices.trades_before(asked, end_ms, day * DAY_MS)
        return [_trade(asked, trade, previous) for trade in islice(found, count)]

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

    def _ticker(self, asked: Market, at_ms: int) -> dict[str, object]:
        return ticker(self._prices, self._bars, asked, at_ms)

    def _price(self, asked: Market, request: Request) -> int:
        return self._prices.last_trade(asked, request.at_ms).price_e8

    def _steps(self, asked: Market, request: Request) -> tuple[int, ...]:
        return supported_steps(asked, self._price(asked, request))

    def _orderbook(self, asked: Market, at_ms: int, step_e8: int, units: int) -> dict[str, object]:
        book = self._books.book(asked, at_ms, step_e8)
        pairs = zip_longest(book.asks, book.bids, fillvalue=Level(0, 0))
        return {
            "market": asked.code,
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


def _trade(asked: Market, trade: TradeTick, previous_e8: int) -> dict[str, object]:
    return {
        "market": asked.code,
        "trade_date_utc": written(trade.at_ms, "%Y-%m-%d"),
        "trade_time_utc": written(trade.at_ms, "%H:%M:%S"),
        "timestamp": trade.at_ms,
        "trade_price": from_e8(trade.price_e8),
        "trade_volume": from_e8(trade.volume_e8),
        "prev_closing_price": from_e8(previous_e8),
        "change_price": from_e8(trade.price_e8 - previous_e8),
        "ask_bid": trade.side,
        "sequential_id": trade.sequential_id,
    }
