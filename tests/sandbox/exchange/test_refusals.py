"""The quotation API over HTTP: answers to invalid requests."""

import pytest

from tests.sandbox.conftest import getter
from tradingsite.sandbox.server import SandboxServer

MISSING = {"name": 400, "message": "Missing request parameter error. Check the required parameters!"}
INVALID = {"name": 400, "message": "Invalid parameter. Check the given value!"}
UNKNOWN = {"name": 404, "message": "Code not found"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/ticker",
        "/v1/ticker?markets=",
        "/v1/ticker/all",
        "/v1/orderbook",
        "/v1/orderbook/instruments",
        "/v1/candles/minutes/1",
        "/v1/candles/days?count=2",
        "/v1/candles/seconds",
        "/v1/candles/weeks",
        "/v1/trades/ticks",
    ],
)
def test_missing_parameter_is_a_400(get, path):
    response = get(path)

    assert response.status_code == 400
    assert response.json() == {"error": MISSING}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/ticker?markets=KRW-NO",
        "/v1/ticker?markets=KRW-BTC,KRW-NO",
        "/v1/ticker?markets=krw-btc",
        "/v1/ticker?markets=KRW-BTC,",
        "/v1/orderbook?markets=KRW-NO",
        "/v1/candles/days?market=KRW-NO",
        "/v1/trades/ticks?market=KRW-NO",
    ],
)
def test_unknown_market_is_a_404(get, path):
    response = get(path)

    assert response.status_code == 404
    assert response.json() == {"error": UNKNOWN}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/market/all?is_details=maybe",
        "/v1/ticker/all?quote_currencies=EUR",
        "/v1/candles/minutes/2?market=KRW-BTC",
        "/v1/candles/minutes/x?market=KRW-BTC",
        "/v1/candles/minutes/1?market=KRW-BTC&count=201",
        "/v1/candles/minutes/1?market=KRW-BTC&count=0",
        "/v1/candles/minutes/1?market=KRW-BTC&count=ten",
        "/v1/candles/minutes/1?market=KRW-BTC&to=yesterday",
        "/v1/candles/minutes/1?market=KRW-BTC&to=2026-13-01T00%3A00%3A00Z",
        "/v1/candles/days?market=KRW-BTC&converting_price_unit=EUR",
        "/v1/orderbook?markets=KRW-BTC&count=31",
        "/v1/orderbook?markets=KRW-BTC&level=1e3",
        "/v1/trades/ticks?market=KRW-BTC&count=501",
        "/v1/trades/ticks?market=KRW-BTC&days_ago=8",
        "/v1/trades/ticks?market=KRW-BTC&to=250000",
        "/v1/trades/ticks?market=KRW-BTC&cursor=-1",
    ],
)
def test_invalid_value_is_a_400(get, path):
    response = get(path)

    assert response.status_code == 400
    assert response.json() == {"error": INVALID}


@pytest.mark.parametrize("to", ["2026-11-20T04:56:53Z", "2026-11-20T13%3A56%3A53+09%3A00"])
def test_time_without_percent_encoding_is_a_400(get, to):
    response = get(f"/v1/candles/minutes/1?market=KRW-BTC&to={to}")

    assert response.status_code == 400
    assert response.json() == {"error": INVALID}


def test_unknown_path_is_a_404_of_the_quotation_api(get):
    response = get("/v1/nothing")

    assert response.status_code == 404
    assert response.json()["error"]["name"] == 404
    assert response.headers["Remaining-Req"].startswith("group=default;")


def test_every_error_carries_remaining_req(session):
    with SandboxServer() as server:
        get = getter(session, server)
        headers = [
            get(path).headers["Remaining-Req"]
            for path in ("/v1/ticker", "/v1/ticker?markets=KRW-NO", "/v1/candles/minutes/2?market=KRW-BTC")
        ]

    assert headers[0].startswith("group=ticker; min=600; sec=")
    assert headers[1].startswith("group=ticker; min=600; sec=")
    assert headers[2].startswith("group=candle; min=600; sec=")


def test_root_page_says_it_is_a_sandbox(get):
    response = get("/")

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "sandbox" in response.text
    assert get("/elsewhere").status_code == 404
