"""Requests of the quotation client, and what its answers are parsed to."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest

from tests.clients import samples
from tests.clients.peer import Reply
from tradingsite.clients.errors import InvalidResponse, NotSent
from tradingsite.clients.upbit.client import UpbitClient

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("call", "sample", "path", "query"),
    [
        (lambda c: c.markets(), samples.MARKET, "/v1/market/all", {"is_details": ["true"]}),
        (
            lambda c: c.tickers(["KRW-BTC", "KRW-ETH"]),
            samples.TICKER,
            "/v1/ticker",
            {"markets": ["KRW-BTC,KRW-ETH"]},
        ),
        (
            lambda c: c.candles("KRW-BTC", 5, 200, NOON),
            samples.MINUTE_CANDLE,
            "/v1/candles/minutes/5",
            {"market": ["KRW-BTC"], "count": ["200"], "to": ["2025-07-01T12:00:00Z"]},
        ),
        (lambda c: c.orderbooks(["KRW-BTC"]), samples.ORDERBOOK, "/v1/orderbook", {"markets": ["KRW-BTC"]}),
    ],
    ids=["markets", "tickers", "candles", "orderbooks"],
)
def test_each_method_sends_one_get_with_documented_parameters(peer, client, *, call, sample, path, query):
    peer.script(Reply(body=samples.array(sample)))

    [element] = call(client)

    assert element.market == "KRW-BTC"
    assert [(request.path, request.query) for request in peer.requests] == [(path, query)]


def test_ticker_has_exact_numbers_and_aware_times(peer, client):
    peer.script(Reply(body=samples.array(samples.TICKER)))

    [ticker] = client.tickers(["KRW-BTC"])

    assert ticker.trade_price == Decimal(148601000)
    assert ticker.signed_change_rate == Decimal("-0.0009143656")
    assert ticker.acc_trade_price_24h == Decimal("178448329314.96686")
    assert ticker.trade_timestamp == datetime(2025, 7, 4, 5, 14, 0, 365000, tzinfo=UTC)
    assert ticker.timestamp.tzinfo is UTC
    assert ticker.highest_52_week_date == date(2025, 1, 20)


@pytest.mark.parametrize(
    "digits", ["0.1", "0.1234567890123456789012345678901234567890", "148601000.00000000"]
)
@pytest.mark.parametrize("form", ["{}", '"{}"'], ids=["number", "string"])
def test_numbers_and_numeric_strings_keep_every_digit(peer, client, digits, form):
    body = samples.ticker(trade_price=1).replace(
        '"trade_price": 1,', f'"trade_price": {form.format(digits)},'
    )
    peer.script(Reply(body=body))

    with localcontext(prec=5):
        [ticker] = client.tickers(["KRW-BTC"])

    assert str(ticker.trade_price) == digits


def test_unknown_fields_are_ignored_and_optional_fields_may_be_missing(peer, client):
    times = '"trade_timestamp":1751606040365,"timestamp":1751606040403'
    peer.script(Reply(body=f'[{{"market":"KRW-BTC","trade_price":1,{times},"new":{{}}}}]'))

    [ticker] = client.tickers(["KRW-BTC"])

    assert ticker.opening_price is None
    assert not hasattr(ticker, "new")


def test_parsed_values_are_immutable(peer, client):
    peer.script(Reply(body=samples.array(samples.ORDERBOOK)))

    [orderbook] = client.orderbooks(["KRW-BTC"])

    with pytest.raises(ValueError, match="frozen"):
        orderbook.market = "KRW-ETH"
    assert isinstance(orderbook.orderbook_units, tuple)


def test_candle_times_without_an_offset_are_utc_and_kst(peer, client):
    peer.script(Reply(body=samples.array(samples.MINUTE_CANDLE)))

    [candle] = client.candles("KRW-BTC", 1, 1)

    assert candle.candle_date_time_utc == candle.candle_date_time_kst == NOON
    assert candle.candle_date_time_kst.tzinfo is UTC
    assert candle.unit == 1


def test_candle_times_may_have_an_offset(peer, client):
    body = samples.array(samples.MINUTE_CANDLE).replace("2025-07-01T21:00:00", "2025-07-01T21:00:00+09:00")
    peer.script(Reply(body=body))

    [candle] = client.candles("KRW-BTC", 1, 1)

    assert candle.candle_date_time_kst == NOON


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"trade_price": None}, "0.trade_price: Field required"),
        ({"trade_price": 0}, "0.trade_price: Input should be greater than 0"),
        ({"trade_price": "NaN"}, "0.trade_price: Input should be a finite number"),
        ({"trade_price": "abc"}, "0.trade_price: Input should be a valid decimal"),
        ({"trade_price": True}, "0.trade_price"),
        ({"trade_price": "1e999999"}, "0.trade_price: Decimal input should have no more than 64 digits"),
        ({"trade_timestamp": 1751606040}, "0.trade_timestamp: Value error, must be milliseconds"),
        ({"trade_timestamp": 1751606040365000}, "0.trade_timestamp"),
        ({"trade_timestamp": True}, "0.trade_timestamp"),
        ({"timestamp": "2025-07-04T05:14:00Z"}, "0.timestamp"),
        ({"market": 7}, "0.market"),
    ],
)
def test_invalid_ticker_error_names_field_and_rule(peer, client, changes, place):
    peer.script(Reply(body=samples.ticker(**changes)))

    with pytest.raises(InvalidResponse, match="GET /v1/ticker: ") as caught:
        client.tickers(["KRW-BTC"])

    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["12", '"yesterday"', '"0001-01-01T00:00:00"', '"9999-12-31T23:59:59-09:00"']
)
def test_candle_with_a_malformed_time_is_an_invalid_response(peer, client, text):
    peer.script(Reply(body=samples.array(samples.MINUTE_CANDLE).replace('"2025-07-01T21:00:00"', text)))

    with pytest.raises(InvalidResponse, match=r"0\.candle_date_time_kst"):
        client.candles("KRW-BTC", 1, 1)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>maintenance</html>",
        '[{"market":',
        "[NaN]",
        "[1e99999999999999999999]",
        f"[{'9' * 5000}]",
        "[" * 100_000,
        b"\xff\xfe\xfd",
        "null",
        '{"market":"KRW-BTC"}',
        '["KRW-BTC"]',
    ],
    ids=[
        "empty",
        "html",
        "cut",
        "nan",
        "exponent",
        "digits",
        "nesting",
        "bytes",
        "null",
        "object",
        "strings",
    ],
)
def test_undocumented_body_is_an_invalid_response(peer, client, body):
    peer.script(Reply(body=body))

    with pytest.raises(InvalidResponse):
        client.tickers(["KRW-BTC"])


def test_repeated_markets_are_requested_once(peer, client):
    client.tickers(["KRW-BTC", "KRW-ETH", "KRW-BTC"])

    assert peer.requests[0].query == {"markets": ["KRW-BTC,KRW-ETH"]}


def test_empty_market_list_sends_no_request(peer, client):
    assert client.tickers([]) == []
    assert peer.requests == []


def test_many_markets_are_split_into_urls_of_bounded_length(peer, client):
    markets = [f"KRW-COIN{number}" for number in range(1000)]

    client.tickers(markets)

    lists = [request.query["markets"][0] for request in peer.requests]
    assert len(lists) == 3
    assert max(map(len, lists)) < 4000
    assert max(len(request.target) for request in peer.requests) < 8000
    assert ",".join(lists).split(",") == markets


def test_300_markets_fit_into_one_request(peer, client):
    client.tickers([f"KRW-COIN{number}" for number in range(300)])

    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.tickers(["btc"]), "market 'btc'"),
        (lambda c: c.tickers(["KRW-BTC,KRW-ETH"]), "must be of the form KRW-BTC"),
        (lambda c: c.candles("", 1, 1), "market ''"),
        (lambda c: c.candles("KRW-BTC", 2, 1), "unit 2 min"),
        (lambda c: c.candles("KRW-BTC", 1, 201), "count 201"),
        (lambda c: c.candles("KRW-BTC", 1, 0), "count 0"),
        (lambda c: c.candles("KRW-BTC", 1, 1, NOON.replace(tzinfo=None)), "must have a time zone"),
    ],
)
def test_invalid_parameters_are_not_sent(peer, client, call, message):
    with pytest.raises(NotSent, match=message) as caught:
        call(client)

    assert caught.value.status is None
    assert peer.requests == []


def test_end_of_a_candle_range_is_sent_in_utc(peer, client):
    korean = datetime(2025, 7, 1, 21, tzinfo=timezone(timedelta(hours=9)))

    client.candles("KRW-BTC", 1, 1, korean)

    assert peer.requests[0].query["to"] == ["2025-07-01T12:00:00Z"]


def test_requests_have_a_user_agent_and_no_origin(peer, make_client):
    make_client(user_agent="tradingsite/9.9.9").markets()

    headers = peer.requests[0].headers
    assert headers["user-agent"] == "tradingsite/9.9.9"
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "gzip"
    assert not {"origin", "cookie", "authorization"} & headers.keys()


def test_client_repr_shows_its_url(peer):
    assert peer.url in repr(UpbitClient(peer.url))
