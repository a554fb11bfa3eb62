"""Answers of Upbit's quotation API, with Upbit's own field names (docs/upbit-client.md U2).

Numbers stay exact, whether they come as JSON numbers or as strings; times are aware UTC. Only fields that we
need are required and range-checked: other documented fields are None if Upbit leaves them out, and unknown
ones are ignored.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tradingsite.korean_day import KST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# From 2001 to 2286: a time in seconds or microseconds is an error, not a date in 1970 or the year 57000.
_MILLISECONDS = re.compile(r"\d{13}")


def _from_ms(value: object) -> datetime:
    text = str(value)
    if not _MILLISECONDS.fullmatch(text):
        raise ValueError("must be milliseconds since 1970")
    return _EPOCH + timedelta(milliseconds=int(text))


def _from_iso(value: object, *, zone: timezone | None = None) -> datetime:
    """Return the moment in UTC. A text without a time zone is in `zone`, or an error if that is None."""
    if not isinstance(value, str):
        raise ValueError("must be an ISO date and time")  # noqa: TRY004 - pydantic turns ValueErrors into its own
    moment = datetime.fromisoformat(value)
    if not 2000 <= moment.year < 2100:
        raise ValueError("must be a date and time from 2000 to 2099")
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if aware.tzinfo is None:
        raise ValueError("must have its zone")
    return aware.astimezone(UTC)


# The limit keeps out 1e999999: the first sum or int() with it would use up all memory.
Number = Annotated[Decimal, Field(max_digits=64)]
Price = Annotated[Decimal, Field(max_digits=64, gt=0)]
Amount = Annotated[Decimal, Field(max_digits=64, ge=0)]
EpochMs = Annotated[datetime, BeforeValidator(_from_ms)]
NaiveUtc = Annotated[datetime, BeforeValidator(partial(_from_iso, zone=UTC))]
NaiveKst = Annotated[datetime, BeforeValidator(partial(_from_iso, zone=KST))]
Moment = Annotated[datetime, BeforeValidator(_from_iso)]


class Body(BaseModel):
    """Base of all Upbit answers: frozen, ignores new fields, keeps values out of error texts."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class MarketCaution(Body):
    """Upbit's alarms for a market."""

    PRICE_FLUCTUATIONS: bool = False
    TRADING_VOLUME_SOARING: bool = False
    DEPOSIT_AMOUNT_SOARING: bool = False
    GLOBAL_PRICE_DIFFERENCES: bool = False
    CONCENTRATION_OF_SMALL_ACCOUNTS: bool = False


class MarketEvent(Body):
    """`warning` marks a market that Upbit may delist."""

    warning: bool
    caution: MarketCaution


class Market(Body):
    """One element of GET /v1/market/all."""

    market: str
    korean_name: str
    english_name: str
    market_event: MarketEvent | None = None
    market_warning: str | None = None


class Ticker(Body):
    """One element of GET /v1/ticker and /v1/ticker/all. Prices are in the quote currency of `market`.

    Opening, high and low prices and changes are of the current UTC day, not of the last 24 hours.
    """

    market: str  # quote first: "KRW-BTC" is bitcoin priced in won
    trade_price: Price
    trade_timestamp: EpochMs
    timestamp: EpochMs
    trade_date: str | None = None
    trade_time: str | None = None
    trade_date_kst: str | None = None
    trade_time_kst: str | None = None
    opening_price: Number | None = None
    high_price: Number | None = None
    low_price: Number | None = None
    prev_closing_price: Number | None = None
    change: str | None = None
    change_price: Number | None = None
    change_rate: Number | None = None
    signed_change_price: Number | None = None
    signed_change_rate: Number | None = None
    trade_volume: Number | None = None
    acc_trade_price: Number | None = None
    acc_trade_price_24h: Number | None = None
    acc_trade_volume: Number | None = None
    acc_trade_volume_24h: Number | None = None
    highest_52_week_price: Number | None = None
    highest_52_week_date: date | None = None
    lowest_52_week_price: Number | None = None
    lowest_52_week_date: date | None = None


class Candle(Body):
    """Fields of every candle. `trade_price` is the close; the newest candle of a list is still open.

    A period without a trade has no candle.
    """

    market: str
    candle_date_time_utc: NaiveUtc
    candle_date_time_kst: NaiveKst
    opening_price: Price
    high_price: Price
    low_price: Price
    trade_price: Price
    timestamp: EpochMs
    candle_acc_trade_price: Amount
    candle_acc_trade_volume: Amount


class MinuteCandle(Candle):
    """One element of GET /v1/candles/minutes/{unit}. `unit` is its length in minutes."""

    unit: int


class OrderbookUnit(Body):
    """One level of both sides; zeros if one side of a thin market has fewer orders."""

    ask_price: Amount
    bid_price: Amount
    ask_size: Amount
    bid_size: Amount


class Orderbook(Body):
    """One element of GET /v1/orderbook, best prices first."""

    market: str
    timestamp: EpochMs
    total_ask_size: Amount
    total_bid_size: Amount
    orderbook_units: tuple[OrderbookUnit, ...]
    level: Number | None = None
