"""The quotation API over HTTP: answers to valid requests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.conftest import NOON, NOON_MS, getter
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.quotation.markets import markets
from tradingsite.sandbox.quotation.price_grid import GRIDS, e8
from tradingsite.sandbox.server import SandboxServer

TICKER_FIELDS = (
    "market trade_date trade_time trade_date_kst trade_time_kst trade_timestamp opening_price high_price "
    "low_price trade_price prev_closing_price change change_price change_rate signed_change_price "
    "signed_change_rate trade_volume acc_trade_price acc_trade_price_24h acc_trade_volume "
    "acc_trade_volume_24h highest_52_week_price highest_52_week_date lowest_52_week_price "
    "lowest_52_week_date timestamp"
)
CANDLE_FIELDS = (
    "market candle_date_time_utc candle_date_time_kst opening_price high_price low_price trade_price "
    "timestamp candle_acc_trade_price candle_acc_trade_volume"
)
THREE = ["KRW-BTC", "KRW-ORBIT", "BTC-ETH"]


def exactly(response):
    """Return the JSON with its numbers as they were written."""
    assert response.status_code == 200, response.text
    return response.json(parse_float=Decimal)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_all_markets_are_listed_with_names(get):
    listed = exactly(get("/v1/market/all"))

    assert listed[0] == {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}
    assert [entry["market"] for entry in listed] == list(markets())


def test_market_details_have_five_cautions_and_a_warning(get):
    events = [entry["market_event"] for entry in exactly(get("/v1/market/all", is_details="true"))]

    assert {len(event["caution"]) for event in events} == {5}
    assert {type(flag) for event in events for flag in [event["warning"], *event["caution"].values()]} == {
        bool
    }
    assert any(event["warning"] or any(event["caution"].values()) for event in events)


def test_ticker_has_the_documented_fields(get):
    [ticker] = exactly(get("/v1/ticker", markets="KRW-BTC"))

    assert " ".join(ticker) == TICKER_FIELDS
    traded = datetime.fromtimestamp(ticker["trade_timestamp"] // 1000, UTC)
    assert ticker["trade_date"] + ticker["trade_time"] == traded.strftime("%Y%m%d%H%M%S")
    korea = traded + timedelta(hours=9)
    assert ticker["trade_date_kst"] + ticker["trade_time_kst"] == korea.strftime("%Y%m%d%H%M%S")
    assert NOON - timedelta(seconds=3) < traded <= NOON
    assert ticker["trade_timestamp"] <= ticker["timestamp"] <= NOON_MS
    assert all("e" not in str(value).lower() for name, value in ticker.items() if "price" in name)


def test_ticker_change_is_relative_to_yesterdays_close(get):
    signs = set()
    for ticker in exactly(get("/v1/ticker", markets=",".join(list(markets())[::6]))):
        change = ticker["trade_price"] - ticker["prev_closing_price"]
        signs.add(ticker["change"])
        assert ticker["signed_change_price"] == change
        assert ticker["change_price"] == abs(change)
        assert ticker["change"] == ("RISE" if change > 0 else "FALL" if change < 0 else "EVEN")
        assert abs(ticker["signed_change_rate"] - Decimal(change) / ticker["prev_closing_price"]) < Decimal(
            "1e-9"
        )
        assert ticker["change_rate"] == abs(ticker["signed_change_rate"])
        assert ticker["low_price"] <= ticker["trade_price"] <= ticker["high_price"]
        assert ticker["lowest_52_week_price"] <= ticker["low_price"]
        assert ticker["high_price"] <= ticker["highest_52_week_price"]
        assert ticker["acc_trade_volume"] <= ticker["acc_trade_volume_24h"]
    assert signs >= {"RISE", "FALL"}


def test_tickers_come_in_the_requested_order(get):
    requested = ["KRW-XRP", "KRW-BTC", "USDT-BTC"]

    assert [
        ticker["market"] for ticker in exactly(get("/v1/ticker", markets=",".join(requested)))
    ] == requested


def test_all_tickers_are_filtered_by_quote_currency(get):
    codes = [ticker["market"] for ticker in exactly(get("/v1/ticker/all", quote_currencies="BTC,USDT"))]

    assert codes == [code for code in markets() if not code.startswith("KRW")]


@pytest.mark.parametrize("market", THREE)
def test_ticker_candles_trades_and_book_agree_exactly(get, market):
    [ticker] = exactly(get("/v1/ticker", markets=market))
    [day] = exactly(get("/v1/candles/days", market=market))
    [minute] = exactly(get("/v1/candles/minutes/1", market=market))
    [trade] = exactly(get("/v1/trades/ticks", market=market))
    [book] = exactly(get("/v1/orderbook", markets=market))
    best = book["orderbook_units"][0]

    for field in ("opening_price", "high_price", "low_price", "trade_price", "prev_closing_price"):
        assert day[field] == ticker[field]
    assert day["candle_acc_trade_volume"] == ticker["acc_trade_volume"]
    assert day["candle_acc_trade_price"] == ticker["acc_trade_price"]
    assert day["timestamp"] == minute["timestamp"] == trade["timestamp"] == ticker["trade_timestamp"]
    assert minute["trade_price"] == trade["trade_price"] == ticker["trade_price"]
    assert trade["trade_volume"] == ticker["trade_volume"]
    assert ticker["trade_price"] == best["ask_price" if trade["ask_bid"] == "BID" else "bid_price"]


def test_quiet_market_repeats_its_trade_time(session, clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        get = getter(session, server)
        times = []
        for _ in range(60):
            times.append(exactly(get("/v1/ticker", markets="KRW-ORBIT"))[0]["trade_timestamp"])
            clock.now_s += 10

    assert times == sorted(times)
    assert 3 < len(set(times)) < 50


@pytest.mark.parametrize("unit", [1, 3, 5, 10, 15, 30, 60, 240])
@pytest.mark.parametrize("market", THREE)
def test_minute_candle_pages_have_no_overlap_and_no_gap(get, market, unit):
    path, pages = f"/v1/candles/minutes/{unit}", list[Any]()
    for count in (7, 13):
        to = {"to": pages[-1]["candle_date_time_utc"]} if pages else {}
        pages += exactly(get(path, market=market, count=count, **to))
    times = [utc(candle["candle_date_time_utc"]) for candle in pages]

    assert pages == exactly(get(path, market=market, count=20))
    assert " ".join(pages[0]) == f"{CANDLE_FIELDS} unit"
    assert all(later > earlier for later, earlier in pairwise(times))
    assert all(time.timestamp() % (unit * 60) == 0 for time in times)
    assert {candle["unit"] for candle in pages} == {unit}


@pytest.mark.parametrize(
    "to",
    [
        "2026-11-20T04:56:53Z",
        "2026-11-20T04:56:53",
        "2026-11-20 04:56:53",
        "2026-11-20T13:56:53+09:00",
        "2026-11-20T04:56:53.250+00:00",
    ],
)
def test_to_is_utc_unless_it_has_an_offset(get, to):
    [candle] = exactly(get("/v1/candles/minutes/1", market="KRW-BTC", to=to))

    assert candle["candle_date_time_utc"] == "2026-11-20T04:56:00"
    assert candle["candle_date_time_kst"] == "2026-11-20T13:56:00"


def test_to_is_exclusive(get):
    [candle] = exactly(get("/v1/candles/minutes/5", market="KRW-BTC", to="2026-11-20T04:55:00"))

    assert candle["candle_date_time_utc"] == "2026-11-20T04:50:00"


@pytest.mark.parametrize("to", ["", "9999-12-31T23:59:59Z"])
def test_to_in_the_future_means_now(get, to):
    assert exactly(get("/v1/candles/months", market="KRW-BTC", to=to, count=3)) == exactly(
        get("/v1/candles/months", market="KRW-BTC", count=3)
    )


@pytest.mark.parametrize("to", ["2017-09-30T00:00:00Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("period", ["minutes/1", "seconds", "days", "months"])
def test_no_candles_before_the_first_day(get, to, period):
    assert exactly(get(f"/v1/candles/{period}", market="KRW-BTC", to=to, count=200)) == []


def test_first_candles_are_of_the_first_day(get):
    days = exactly(get("/v1/candles/days", market="KRW-BTC", to="2017-10-03T00:00:00Z", count=200))

    assert [day["candle_date_time_utc"] for day in days] == ["2017-10-02T00:00:00", "2017-10-01T00:00:00"]


def test_minutes_without_a_trade_have_no_candle(get):
    candles = exactly(get("/v1/candles/minutes/1", market="KRW-ORBIT", count=200))
    times = [utc(candle["candle_date_time_utc"]) for candle in candles]
    trades = exactly(get("/v1/trades/ticks", market="KRW-ORBIT", count=100))

    assert len(candles) == 200
    assert times[0] - times[-1] > timedelta(minutes=400)
    minutes = {trade["timestamp"] // 60_000 * 60 for trade in trades}
    assert minutes <= {int(time.timestamp()) for time in times}


def test_newest_candle_is_unfinished_and_grows(session, clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        get = getter(session, server)
        [early] = exactly(get("/v1/candles/minutes/30", market="KRW-BTC"))
        clock.now_s += 600
        [late] = exactly(get("/v1/candles/minutes/30", market="KRW-BTC"))
        clock.now_s += 1800
        newest, finished = exactly(get("/v1/candles/minutes/30", market="KRW-BTC", count=2))

    assert early["candle_date_time_utc"] == late["candle_date_time_utc"] == finished["candle_date_time_utc"]
    assert early["opening_price"] == late["opening_price"] == finished["opening_price"]
    assert early["candle_acc_trade_volume"] < late["candle_acc_trade_volume"]
    assert late["candle_acc_trade_volume"] < finished["candle_acc_trade_volume"]
    assert newest["candle_date_time_utc"] > finished["candle_date_time_utc"]


def test_second_candles_exist_for_seconds_with_a_trade(get):
    seconds = exactly(get("/v1/candles/seconds", market="KRW-BTC", count=50))
    trades = exactly(get("/v1/trades/ticks", market="KRW-BTC", count=200))

    expected = sorted({trade["timestamp"] // 1000 for trade in trades}, reverse=True)[:50]
    assert [int(utc(second["candle_date_time_utc"]).timestamp()) for second in seconds] == expected
    assert " ".join(seconds[0]) == CANDLE_FIELDS


def test_day_candle_has_the_change_from_the_day_before(get):
    days = exactly(get("/v1/candles/days", market="KRW-ETH", count=200))

    assert " ".join(days[0]) == f"{CANDLE_FIELDS} prev_closing_price change_price change_rate"
    assert days[0]["candle_date_time_kst"] == "2026-11-22T09:00:00"
    for day, before in pairwise(days):
        assert day["prev_closing_price"] == before["trade_price"]
        assert day["change_price"] == day["trade_price"] - before["trade_price"]
        assert (day["change_rate"] < 0) == (day["change_price"] < 0)


def test_day_candle_can_be_converted_to_won(get):
    for market in ("KRW-ETH", "BTC-ETH", "USDT-ETH"):
        [day, _] = exactly(get("/v1/candles/days", market=market, count=2, converting_price_unit="KRW"))

        assert Decimal(3_000_000) < day["converted_trade_price"] < Decimal(9_000_000)
        assert market != "KRW-ETH" or day["converted_trade_price"] == day["trade_price"]


@pytest.mark.parametrize(
    ("period", "first_days"),
    [
        ("weeks", ["2026-11-16", "2026-11-09"]),
        ("months", ["2026-11-01", "2026-10-01"]),
        ("years", ["2026-01-01", "2025-01-01"]),
    ],
)
def test_long_candles_have_their_first_day(get, period, first_days):
    candles = exactly(get(f"/v1/candles/{period}", market="KRW-BTC", count=2))

    assert [candle["first_day_of_period"] for candle in candles] == first_days
    assert candles[0]["opening_price"] == candles[1]["trade_price"]


def test_trades_are_paged_by_cursor_and_by_time(get):
    trades = exactly(get("/v1/trades/ticks", market="KRW-BTC", count=500))
    older = exactly(get("/v1/trades/ticks", market="KRW-BTC", count=490, cursor=trades[9]["sequential_id"]))
    by_time = exactly(get("/v1/trades/ticks", market="KRW-BTC", count=5, to="11:59:00"))
    [same] = exactly(get("/v1/trades/ticks", market="KRW-BTC", to="115900"))

    assert older == trades[10:]
    assert by_time[0] == same
    assert max(trade["trade_time_utc"] for trade in by_time) < "11:59:00"
    for trade in trades:
        assert trade["change_price"] == trade["trade_price"] - trade["prev_closing_price"]


def test_trades_of_a_past_day_are_of_that_day_only(get):
    trades = exactly(get("/v1/trades/ticks", market="KRW-BTC", count=3, days_ago=7))
    [day] = exactly(get("/v1/candles/days", market="KRW-BTC", to="2026-11-16T00:00:00"))

    assert {trade["trade_date_utc"] for trade in trades} == {"2026-11-15"}
    assert trades[0]["trade_price"] == day["trade_price"]
    assert exactly(get("/v1/trades/ticks", market="KRW-BTC", to="00:00:00")) == []


def test_order_book_has_thirty_levels_on_the_tick_grid(get):
    books = exactly(get("/v1/orderbook", markets="KRW-BTC,KRW-SATS"))

    for book in books:
        units = book["orderbook_units"]
        assert len(units) == 30
        assert book["total_ask_size"] == sum(unit["ask_size"] for unit in units)
        assert book["total_bid_size"] == sum(unit["bid_size"] for unit in units)
        assert book["level"] == 0
        prices = [e8(str(unit[side])) for unit in units for side in ("ask_price", "bid_price")]
        assert all(price % GRIDS["KRW"].tick(price) == 0 for price in prices)


def test_order_book_count_keeps_the_best_levels(get):
    [book] = exactly(get("/v1/orderbook", markets="KRW-BTC"))
    [short] = exactly(get("/v1/orderbook", markets="KRW-BTC", count=5))

    assert short["orderbook_units"] == book["orderbook_units"][:5]


def test_order_book_groups_by_supported_levels_only(get):
    [instrument] = exactly(get("/v1/orderbook/instruments", markets="KRW-BTC"))
    [grouped] = exactly(get("/v1/orderbook", markets="KRW-BTC", level=10000))

    assert instrument == {
        "market": "KRW-BTC",
        "quote_currency": "KRW",
        "tick_size": 1000,
        "supported_levels": ["0", "10000", "100000"],
    }
    assert grouped["level"] == 10000
    assert all(unit["ask_price"] % 10000 == 0 for unit in grouped["orderbook_units"])
    assert exactly(get("/v1/orderbook", markets="KRW-BTC", level=777)) == []
    assert exactly(get("/v1/orderbook", markets="BTC-ETH", level=10000)) == []


def test_instruments_have_the_current_tick_size(get):
    for instrument in exactly(get("/v1/orderbook/instruments", markets="KRW-DOGE,KRW-PEPE,BTC-XRP,USDT-BTC")):
        [ticker] = exactly(get("/v1/ticker", markets=instrument["market"]))
        tick = GRIDS[instrument["quote_currency"]].tick(e8(str(ticker["trade_price"])))

        assert e8(str(instrument["tick_size"])) == tick


def test_option_makes_numbers_strings(session):
    with SandboxServer(clock=NOON.timestamp, options=Options(numeric_strings=True)) as server:
        [ticker] = getter(session, server)("/v1/ticker", markets="KRW-BTC").json()

    assert ticker["trade_price"].endswith(".00000000")
    assert Decimal(ticker["trade_price"]) > 100_000_000
    assert isinstance(ticker["timestamp"], int)


def test_ticker_of_a_new_day_without_a_trade_has_the_last_close(session, clock):
    clock.now_s = NOON.replace(hour=0, minute=0, second=0, microsecond=1000).timestamp()
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        [ticker] = exactly(getter(session, server)("/v1/ticker", markets="KRW-ORBIT"))

    assert ticker["change"] == "EVEN"
    assert ticker["acc_trade_volume"] == 0
    assert ticker["opening_price"] == ticker["trade_price"] == ticker["prev_closing_price"]
    assert ticker["trade_date"] == "20261121"
