"""Quotation relayed from another exchange, here a second sandbox with other prices."""

from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests

from tests.sandbox.account import Account
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.exchange.relay_venue import RelayVenue
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.limits import Limit
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.quotation.relay import Relay
from tradingsite.sandbox.server import SandboxServer

TICKER = "/v1/ticker?markets=KRW-BTC,KRW-ETH"


@pytest.fixture(autouse=True)
def patient_relay(monkeypatch):
    """The limits in force, 3 and 5 s, are not for a busy machine."""
    monkeypatch.setattr("tradingsite.sandbox.quotation.relay._TIMEOUTS_S", (30, 30))


@pytest.fixture
def upstream(clock):
    with SandboxServer(clock=clock, seed=7, options=Options(limits=GENEROUS)) as server:
        yield server


@pytest.fixture
def relay(clock, upstream):
    with SandboxServer(clock=clock, seed=1, options=Options(relay_url=upstream.url)) as server:
        yield server


@pytest.fixture
def account(relay):
    account = Account(relay.url)
    yield account
    account.http.close()


def get(server, path, **options):
    return requests.get(server.url + path, timeout=30, **options)


def executed(server):
    [order] = server.exchange.orders()
    return order


@pytest.mark.parametrize(
    "path",
    [
        TICKER,
        "/v1/market/all?is_details=true",
        "/v1/candles/minutes/30?market=KRW-BTC&count=3&to=2026-11-22T10%3A00%3A00%2B09%3A00",
        "/v1/orderbook?markets=KRW-XRP",
        "/v1/trades/ticks?market=KRW-BTC&count=2",
        "/v1/ticker?markets=KRW-NOPE",
        "/v1/ticker",
    ],
)
def test_answers_and_errors_of_the_upstream_are_relayed_unchanged(relay, upstream, path):
    relayed, there = get(relay, path), get(upstream, path)

    assert (relayed.status_code, relayed.content) == (there.status_code, there.content)
    assert relayed.headers["Content-Type"] == there.headers["Content-Type"]
    assert (
        relayed.headers["Remaining-Req"].partition(" sec=")[0]
        == there.headers["Remaining-Req"].partition(" sec=")[0]
    )


def test_credentials_of_the_caller_are_not_forwarded(relay, upstream):
    private = {
        "Authorization": "Bearer secret",
        "Origin": "http://page",
        "Cookie": "c",
        "x-goog-api-key": "k",
    }
    get(relay, TICKER, headers=private)

    sent = upstream.requests[-1].request
    assert sent.target == TICKER
    assert not {name.lower() for name in private} & set(sent.headers)


def test_netrc_is_ignored(relay, upstream, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    get(relay, TICKER)

    assert "authorization" not in upstream.requests[-1].request.headers


def test_only_known_quotation_paths_are_forwarded(relay, upstream, account):
    account.get("/v1/accounts")
    get(relay, "/v1/withdraws")
    requests.post(relay.url + TICKER, timeout=30)
    get(relay, "/v1/ticker/../accounts")

    assert [answered.request.target for answered in upstream.requests] == []


def test_rate_limit_of_the_upstream_is_relayed_as_429(clock):
    with (
        SandboxServer(clock=clock, options=Options(limits={"ticker": Limit(1)})) as upstream,
        SandboxServer(clock=clock, options=Options(relay_url=upstream.url)) as relay,
    ):
        statuses = [get(relay, TICKER).status_code for _ in range(2)]

    assert statuses == [200, 429]


def test_unreachable_upstream_is_a_502(relay, upstream):
    upstream.faults.add(Fault("drop_before"))
    response = get(relay, TICKER)

    assert response.status_code == 502
    assert response.json()["error"]["name"] == 502
    assert upstream.url in response.json()["error"]["message"]
    assert get(relay, TICKER).status_code == 200


@pytest.mark.parametrize(("sent", "received"), [(302, 302), (799, 502)])
def test_redirect_is_not_followed_and_an_unknown_status_is_a_502(clock, sent, received):
    requested = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append(self.path)
            self.send_response(sent)
            self.send_header("Location", "/v1/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as there:
        Thread(target=there.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{there.server_port}"
        with SandboxServer(clock=clock, options=Options(relay_url=url)) as relay:
            response = get(relay, TICKER, allow_redirects=False)
        there.shutdown()

    assert response.status_code == received
    assert requested == [TICKER]


def test_market_buy_takes_the_relayed_asks_best_first(relay, upstream, account, clock):
    [book] = get(upstream, "/v1/orderbook?markets=KRW-BTC").json(parse_float=Decimal)
    account.buy("9000000")
    clock.now_s += 0.4
    order = executed(relay)

    asks = [(unit["ask_price"], unit["ask_size"]) for unit in book["orderbook_units"]]
    taken = [(trade.price, trade.volume) for trade in order.trades]
    assert len(taken) > 1
    assert taken[:-1] == asks[: len(taken) - 1]
    assert taken[-1][0] == asks[len(taken) - 1][0]
    assert 8_999_000 < order.executed_funds <= 9_000_000


def test_market_sell_takes_the_relayed_bids(relay, upstream, account, clock):
    account.buy("100000")
    clock.now_s += 0.4
    volume = executed(relay).executed_volume
    account.sell(f"{volume:f}")
    clock.now_s += 0.4
    [book] = get(upstream, "/v1/orderbook?markets=KRW-BTC").json(parse_float=Decimal)
    sale = relay.exchange.orders()[-1]

    assert sale.state == "done"
    assert sale.trades[0].price in {unit["bid_price"] for unit in book["orderbook_units"]}


def test_resting_order_fills_when_the_relayed_book_reaches_it(relay, upstream, account, clock):
    [book] = get(upstream, "/v1/orderbook?markets=KRW-BTC").json(parse_float=Decimal)
    price = book["orderbook_units"][-1]["bid_price"]
    account.limit("bid", price, "0.001")
    clock.now_s += 0.4
    assert executed(relay).state == "wait"

    while get(upstream, "/v1/orderbook?markets=KRW-BTC").json()[0]["orderbook_units"][0]["ask_price"] > price:
        clock.now_s += 600
    order = executed(relay)
    assert order.state == "done"
    assert order.trades[0].price == price


def test_last_relayed_book_is_kept_for_five_seconds(upstream, monkeypatch):
    now_s = 1000.0
    monkeypatch.setattr("tradingsite.sandbox.exchange.relay_venue.monotonic", lambda: now_s)
    venue = RelayVenue(Relay(upstream.url))
    before = venue.offers("KRW-BTC", "bid", 0)
    upstream.faults.add(Fault("malformed_json", path="/v1/orderbook"))
    upstream.faults.add(Fault("503", path="/v1/orderbook"))
    malformed, unavailable = venue.offers("KRW-BTC", "bid", 0), venue.offers("KRW-BTC", "bid", 0)
    upstream.faults.add(Fault("drop_before", path="/v1/orderbook", times=2))
    now_s += 5.1

    assert before
    assert malformed == unavailable == before
    assert venue.offers("KRW-BTC", "bid", 0) == []
    assert venue.offers("KRW-ETH", "bid", 0) == []


def test_unknown_market_has_no_book(upstream):
    assert RelayVenue(Relay(upstream.url)).offers("KRW-NOPE", "ask", 0) == []


@pytest.mark.parametrize(
    "url",
    [
        "api.upbit.com",
        "ftp://x",
        "http://",
        "http://x/v1",
        "http://me:secret@x",
        "http://x?a=b",
        "http://x:port",
        "http://x:0",
        "http://:secret@x/v1",
    ],
)
def test_malformed_relay_url_is_refused(url):
    with pytest.raises(ValueError, match=r".") as raised:
        SandboxServer(options=Options(relay_url=url))

    assert "secret" not in str(raised.value)
