"""Fills the sandbox's orders from the generated order book and trades (docs/sandbox.md S1)."""

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, localcontext
from typing import Protocol

from tradingsite.sandbox.exchange.matching import Offer, crosses
from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.quotation.book import Books, Level
from tradingsite.sandbox.quotation.markets import markets
from tradingsite.sandbox.quotation.price_grid import E8, from_e8
from tradingsite.sandbox.quotation.price_path import Span
from tradingsite.sandbox.quotation.prices import DAY_MS, Prices
from tradingsite.sandbox.quotation.trades import MINUTE_MS

_MINUTES = (24 * 60, 60, 5, 1)  # day, hour, five minutes, minute: each divides into the next


class Venue(Protocol):
    """The other traders' orders and trades. The same arguments must always give the same answer."""

    def offers(self, market: str, side: str, at_ms: int) -> Sequence[Offer]:
        """Return what an order on `side` (bid or ask) could trade against at that time, best first."""
        ...

    def reached_ms(self, order: Order, after_ms: int, until_ms: int) -> int | None:
        """Return when, after `after_ms` up to `until_ms`, a trade first reached a limit order's price."""
        ...


class PathVenue:
    """The sandbox's generated prices: 30 levels per side, and every trade."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._books = Books(prices)

    def offers(self, market: str, side: str, at_ms: int) -> Sequence[Offer]:
        with localcontext(Context()):  # the caller's decimal context must not change the prices
            book = self._books.book(markets()[market], at_ms)
        return [_offer(level) for level in (book.asks if side == "bid" else book.bids)]

    def reached_ms(self, order: Order, after_ms: int, until_ms: int) -> int | None:
        days = range(after_ms // DAY_MS, until_ms // DAY_MS + 1)
        with localcontext(Context()):
            search = _Search(self._prices, order, after_ms, until_ms)
            found = (search.within(0, day) for day in days)
            return next((at_ms for at_ms in found if at_ms is not None), None)


def _offer(level: Level) -> Offer:
    return Offer(from_e8(level.price_e8), from_e8(level.size_e8))


class _Search:
    """Finds the first trade at a price, skipping whole days, hours and minutes that did not reach it."""

    def __init__(self, prices: Prices, order: Order, after_ms: int, until_ms: int) -> None:
        self._prices = prices
        self._market = markets()[order.market]
        self._order = order
        self._after_ms, self._until_ms = after_ms, until_ms
        self._span: tuple[Callable[[int], Span], ...] = (
            lambda day: prices.day(self._market, day),
            lambda hour: prices.hours(self._market, hour // 24)[hour % 24],
            lambda five: prices.fives(self._market, five // 12)[five % 12],
            lambda minute: prices.minutes(self._market, minute // 5)[minute % 5],
        )

    def within(self, depth: int, index: int) -> int | None:
        length_ms = _MINUTES[depth] * MINUTE_MS
        if (index + 1) * length_ms <= self._after_ms or index * length_ms > self._until_ms:
            return None
        if not self._is_reached(self._span[depth](index)):
            return None
        if depth == len(_MINUTES) - 1:
            return self._trade(index)
        parts = _MINUTES[depth] // _MINUTES[depth + 1]
        found = (self.within(depth + 1, part) for part in range(index * parts, (index + 1) * parts))
        return next((at_ms for at_ms in found if at_ms is not None), None)

    def _is_reached(self, span: Span) -> bool:
        if not span.volume:
            return False
        best = span.low if self._order.side == "bid" else span.high
        return crosses(self._order, self._price(self._prices.price(self._market, best)))

    def _trade(self, minute: int) -> int | None:
        for trade in self._prices.trades(self._market, minute):
            if self._after_ms < trade.at_ms <= self._until_ms and crosses(
                self._order, self._price(trade.price_e8)
            ):
                return trade.at_ms
        return None

    def _price(self, price_e8: int) -> Decimal:
        return Decimal(price_e8) / E8
