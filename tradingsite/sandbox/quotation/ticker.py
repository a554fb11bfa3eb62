"""The ticker of a market: its last trade, its UTC day and its last 24 hours (docs/sandbox.md S11)."""

from collections.abc import Mapping
from decimal import Decimal

from tradingsite.sandbox.quotation.bars import Bar, Bars
from tradingsite.sandbox.quotation.dates import KST, format_ms
from tradingsite.sandbox.quotation.markets import Market
from tradingsite.sandbox.quotation.price_grid import from_e8
from tradingsite.sandbox.quotation.prices import DAY_MS, Prices
from tradingsite.sandbox.quotation.trades import TradeTick

_DATE, _TIME = "%Y%m%d", "%H%M%S"


def ticker(prices: Prices, bars: Bars, market: Market, at_ms: int) -> dict[str, object]:
    """Return one ticker, fields in Upbit's order."""
    trade = prices.last_trade(market, at_ms)
    day = at_ms // DAY_MS
    previous = bars.close_of_day(market, day - 1)
    today = bars.bar(market, day * DAY_MS, at_ms + 1) or _empty_bar(previous)
    last_day = bars.bar(market, at_ms + 1 - DAY_MS, at_ms + 1) or _empty_bar(previous)
    return {
        "market": market.code,
        "trade_date": format_ms(trade.at_ms, _DATE),
        "trade_time": format_ms(trade.at_ms, _TIME),
        "trade_date_kst": format_ms(trade.at_ms, _DATE, KST),
        "trade_time_kst": format_ms(trade.at_ms, _TIME, KST),
        "trade_timestamp": trade.at_ms,
        "opening_price": from_e8(today.open),
        "high_price": from_e8(today.high),
        "low_price": from_e8(today.low),
        "trade_price": from_e8(trade.price_e8),
        "prev_closing_price": from_e8(previous),
        **_change(trade.price_e8, previous),
        "trade_volume": from_e8(trade.volume_e8),
        "acc_trade_price": from_e8(today.value),
        "acc_trade_price_24h": from_e8(last_day.value),
        "acc_trade_volume": from_e8(today.volume),
        "acc_trade_volume_24h": from_e8(last_day.volume),
        **_year(bars, market, at_ms),
        "timestamp": min(at_ms, trade.at_ms + _ticker_delay_ms(trade)),
    }


def rate(change_e8: int, previous_e8: int) -> Decimal:
    """Return a change as a ratio of the previous close, with ten decimals."""
    return round(Decimal(change_e8) / previous_e8, 10)


def _change(price_e8: int, previous_e8: int) -> Mapping[str, object]:
    change = price_e8 - previous_e8
    return {
        "change": "RISE" if change > 0 else "FALL" if change < 0 else "EVEN",
        "change_price": from_e8(abs(change)),
        "change_rate": rate(abs(change), previous_e8),
        "signed_change_price": from_e8(change),
        "signed_change_rate": rate(change, previous_e8),
    }


def _year(bars: Bars, market: Market, at_ms: int) -> Mapping[str, object]:
    year = bars.year(market, at_ms)
    return {
        "highest_52_week_price": from_e8(year.high),
        "highest_52_week_date": format_ms(year.high_day * DAY_MS, "%Y-%m-%d"),
        "lowest_52_week_price": from_e8(year.low),
        "lowest_52_week_date": format_ms(year.low_day * DAY_MS, "%Y-%m-%d"),
    }


def _empty_bar(price_e8: int) -> Bar:
    return Bar(price_e8, price_e8, price_e8, price_e8, volume=0, value=0, last_ms=0)


def _ticker_delay_ms(trade: TradeTick) -> int:
    """Return the delay between a trade and its ticker: some ms, always the same for one trade."""
    return 10 + trade.at_ms % 83
