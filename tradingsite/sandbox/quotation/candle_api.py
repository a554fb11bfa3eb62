"""The candle endpoints of the public quotation API (docs/sandbox.md S7, S8, S10)."""

from collections.abc import Callable, Iterator

from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.quotation import candles
from tradingsite.sandbox.quotation.bars import Bar, Bars
from tradingsite.sandbox.quotation.candles import Period, candle, fixed_periods
from tradingsite.sandbox.quotation.dates import format_ms
from tradingsite.sandbox.quotation.markets import Market, markets
from tradingsite.sandbox.quotation.parameters import invalid, moment_ms, requested_market, whole_number
from tradingsite.sandbox.quotation.price_grid import E8, from_e8
from tradingsite.sandbox.quotation.prices import DAY_MS, Prices
from tradingsite.sandbox.quotation.ticker import rate
from tradingsite.sandbox.quotation.trades import MINUTE_MS

MINUTE_UNITS = (1, 3, 5, 10, 15, 30, 60, 240)
MAX_CANDLES = 200

Candle = dict[str, object]


class QuotationCandles:
    """Each method takes a request and returns the answer's JSON value."""

    def __init__(self, prices: Prices, bars: Bars) -> None:
        self._prices = prices
        self._bars = bars

    def minutes(self, request: Request, unit: str) -> list[Candle]:
        if unit not in map(str, MINUTE_UNITS):
            invalid()
        market = requested_market(request)
        found = self._traded_bars(
            request, market, lambda before: fixed_periods(int(unit) * MINUTE_MS, before)
        )
        return [{**candle(market, start, bar), "unit": int(unit)} for start, bar in found]

    def seconds(self, request: Request) -> list[Candle]:
        market = requested_market(request)
        found = self._traded_bars(
            request, market, lambda before: candles.seconds(self._prices, market, before, request.at_ms)
        )
        return [candle(market, start, bar) for start, bar in found]

    def days(self, request: Request) -> list[Candle]:
        """Return days; with `converting_price_unit=KRW` also the close in won."""
        market = requested_market(request)
        unit = request.params.get("converting_price_unit")
        if unit not in {None, "KRW"}:
            invalid()
        answer = []
        for start, bar in self._traded_bars(request, market, lambda before: fixed_periods(DAY_MS, before)):
            answer.append({**candle(market, start, bar), **self._day_fields(market, start, bar)})
            if unit:
                won = self._won(market, start, request.at_ms)
                answer[-1]["converted_trade_price"] = from_e8(bar.close * won // E8)
        return answer

    def weeks(self, request: Request) -> list[Candle]:
        return self._long(request, candles.weeks)

    def months(self, request: Request) -> list[Candle]:
        return self._long(request, candles.months)

    def years(self, request: Request) -> list[Candle]:
        return self._long(request, lambda before: candles.months(before, 12))

    def _long(self, request: Request, periods: Callable[[int], Iterator[Period]]) -> list[Candle]:
        market = requested_market(request)
        return [
            {**candle(market, start, bar), "first_day_of_period": format_ms(start, "%Y-%m-%d")}
            for start, bar in self._traded_bars(request, market, periods)
        ]

    def _traded_bars(
        self, request: Request, market: Market, periods: Callable[[int], Iterator[Period]]
    ) -> list[tuple[int, Bar]]:
        count = whole_number(request, "count", 1, range(1, MAX_CANDLES + 1))
        now = request.at_ms + 1
        before = max(0, min(moment_ms(request, "to", now), now))
        return candles.traded_bars(self._bars, market, periods(before), count, request.at_ms)

    def _day_fields(self, market: Market, start_ms: int, bar: Bar) -> Candle:
        previous = self._bars.close_of_day(market, start_ms // DAY_MS - 1)
        return {
            "prev_closing_price": from_e8(previous),
            "change_price": from_e8(bar.close - previous),
            "change_rate": rate(bar.close - previous, previous),
        }

    def _won(self, market: Market, start_ms: int, at_ms: int) -> int:
        """Return the price in won of one unit of the quote currency at the end of that day, in 1e-8."""
        if market.quote == "KRW":
            return E8
        end_ms = min(start_ms + DAY_MS - 1, at_ms)
        return self._prices.last_trade(markets()[f"KRW-{market.quote}"], end_ms).price_e8
