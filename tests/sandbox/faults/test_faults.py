"""Faults of the exchange over real connections: what the client sees, and what the exchange did."""

import http.client
import json
import re
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest
import requests

from tests.clients.peer import wait_until
from tests.sandbox.account import Account, error
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.faults.arming import KINDS, Fault
from tradingsite.sandbox.faults.exchange_faults import html
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

TICKER = "/v1/ticker?markets=KRW-BTC"


@pytest.fixture
def server(clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        yield server


@pytest.fixture
def account(server):
    with Account(server.url).http as http:
        account = Account(server.url)
        account.http = http
        yield account


@pytest.fixture
def fetch(server, session):
    def fetch(path=TICKER, method="GET", **options):
        return session.request(method, server.url + path, **{"timeout": 30, **options})

    return fetch


def outcomes(fetch, count, path=TICKER):
    """Return the status of each of `count` requests, 0 for one that was not answered."""
    statuses = []
    for _ in range(count):
        try:
            statuses.append(fetch(path).status_code)
        except requests.ConnectionError:
            statuses.append(0)
    return statuses


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("503"), [503, 200, 200, 200, 200, 200]),
        (Fault("503", nth=3), [200, 200, 503, 200, 200, 200]),
        (Fault("503", nth=2, times=3), [200, 503, 503, 503, 200, 200]),
        (Fault("503", nth=2, times=2, every=2), [200, 503, 200, 503, 200, 200]),
        (Fault("503", every=3, times=0), [503, 200, 200, 503, 200, 200]),
        (Fault("drop_before", times=2), [0, 0, 200, 200, 200, 200]),
    ],
)
def test_fault_applies_to_the_requests_chosen_by_nth_times_and_every(server, fetch, fault, expected):
    server.faults.add(fault)

    assert outcomes(fetch, 6) == expected


def test_faults_for_the_same_request_are_queued(server, fetch):
    for kind in ("503", "502", "500"):
        server.faults.add(Fault(kind))
    server.faults.add(Fault("418", nth=5))

    assert outcomes(fetch, 6) == [503, 502, 500, 200, 418, 200]
    assert [answered.fault for answered in server.requests] == ["503", "502", "500", "", "418", ""]


def test_fault_applies_only_to_its_path_and_method(server, fetch):
    server.faults.add(Fault("503", path="/v1/candles/*", method="get"))
    server.faults.add(Fault("500", method="POST"))

    assert fetch().status_code == 200
    assert fetch("/v1/candles/minutes/5?market=KRW-BTC").status_code == 503
    assert fetch(method="POST").status_code == 500


def test_faults_never_apply_to_control_endpoint_and_root_page(server, fetch):
    server.faults.add(Fault("drop_before", path="*", times=0))

    assert outcomes(fetch, 3, "/sandbox/faults") == [200, 200, 200]
    assert outcomes(fetch, 1, "/") == [200]
    assert outcomes(fetch, 2) == [0, 0]


def test_simultaneous_requests_share_the_count_of_a_fault(server):
    server.faults.add(Fault("503", nth=4, times=5))
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: requests.get(server.url + TICKER, timeout=30), range(40))

    assert Counter(answer.status_code for answer in answers) == {200: 35, 503: 5}


def test_threads_use_each_fault_exactly_once(server):
    request = Request("GET", TICKER, "/v1/ticker", "", {}, b"", "127.0.0.1", 0)
    for _ in range(300):
        server.faults.add(Fault("503"))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(8) as pool:
        kinds = pool.map(
            lambda _: server.faults.answer(request, lambda _: html(HTTPStatus.OK))[1], range(400)
        )
        counted = Counter(kinds)
    sys.setswitchinterval(before)

    assert counted == {"503": 300, "": 100}


def test_cleared_fault_no_longer_applies(server, fetch):
    server.faults.add(Fault("503", times=0))
    first = fetch().status_code
    server.faults.clear()

    assert (first, fetch().status_code) == (503, 200)


def test_drop_resets_the_connection(server):
    server.faults.add(Fault("drop_before"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /v1/market/all HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_drop_before_records_the_post_without_an_order(server, account):
    server.faults.add(Fault("drop_before", path="/v1/orders", method="POST"))
    with pytest.raises(requests.ConnectionError):
        account.buy(identifier="one")

    assert server.exchange.orders() == []
    assert [(post.identifier, post.status) for post in server.exchange.posts] == [("one", 0)]
    assert error(account.get("/v1/order", {"identifier": "one"})) == (404, "order_not_found")


def test_drop_after_keeps_the_order(server, account):
    server.faults.add(Fault("drop_after", path="/v1/orders", method="POST"))
    with pytest.raises(requests.ConnectionError):
        account.buy(identifier="one")

    [order] = server.exchange.orders()
    assert order.identifier == "one"
    assert [(post.identifier, post.status) for post in server.exchange.posts] == [("one", 201)]
    assert account.get("/v1/order", {"identifier": "one"}).status_code == 200
    assert [(answered.status, answered.fault) for answered in server.requests] == [
        (None, "drop_after"),
        (200, ""),
    ]


@pytest.mark.parametrize(("after", "orders", "posted"), [(False, 0, 0), (True, 1, 201)])
def test_gateway_error_can_hide_a_placed_order(server, account, after, orders, posted):
    server.faults.add(Fault("502", path="/v1/orders", after=after))
    response = account.buy(identifier="one")

    assert response.status_code == 502
    assert response.headers["Content-Type"].startswith("text/html")
    assert "<h1>502 Bad Gateway</h1>" in response.text
    assert len(server.exchange.orders()) == orders
    assert [post.status for post in server.exchange.posts] == [posted]


def test_post_with_a_malformed_body_is_recorded(server, fetch):
    server.faults.add(Fault("500", path="/v1/orders"))
    fetch("/v1/orders", "POST", data=b"{")

    assert [(post.identifier, post.status) for post in server.exchange.posts] == [(None, 0)]


def test_malformed_json_fault_keeps_the_order(server, account):
    server.faults.add(Fault("malformed_json", path="/v1/orders"))
    response = account.buy()

    assert response.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        response.json()
    assert len(server.exchange.orders()) == 1


def test_latency_delays_only_the_answer(server, account):
    server.faults.add(Fault("latency", path="/v1/orders", seconds=30))
    with pytest.raises(requests.ReadTimeout):
        account.http.post(f"{server.url}/v1/orders", json={}, timeout=(30, 0.1))
    wait_until(lambda: server.requests)
    server.faults.add(Fault("latency", seconds=0.05))
    begun = time.monotonic()

    assert account.get("/v1/accounts").status_code == 200
    assert time.monotonic() - begun >= 0.05
    assert [answered.fault for answered in server.requests] == ["latency", "latency"]


@pytest.mark.parametrize("kind", ["silence", "latency", "trickle"])
def test_stopping_the_server_ends_a_delayed_answer(clock, kind):
    with SandboxServer(clock=clock) as server:
        others = set(threading.enumerate())
        server.faults.add(Fault(kind, seconds=3600))
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        client.sendall(b"GET /v1/market/all HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: server.requests)
        [answering] = set(threading.enumerate()) - others

    answering.join(30)
    assert not answering.is_alive()
    with client:
        while client.recv(65536):  # ends only because the server hung up
            pass


def test_trickled_answer_arrives_complete(server, session):
    server.faults.add(Fault("trickle", seconds=0.0001))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", TICKER)
    body = connection.getresponse().read()
    connection.request("HEAD", TICKER)  # the connection is still good
    status = connection.getresponse().status
    connection.close()

    assert json.loads(body)[0]["market"] == "KRW-BTC"
    assert status == 404


@pytest.mark.parametrize(
    ("path", "name", "group"),
    [
        (TICKER, 429, "ticker"),
        ("/v1/candles/days?market=KRW-BTC", 429, "candle"),
        ("/v1/accounts", "too_many_requests", "default"),
    ],
)
def test_a_429_has_the_error_format_of_its_endpoint(server, fetch, path, name, group):
    server.faults.add(Fault("429"))
    server.faults.add(Fault("429_text"))
    as_json, as_text = fetch(path), fetch(path)

    assert [as_json.status_code, as_text.status_code] == [429, 429]
    assert as_json.json()["error"]["name"] == name
    assert as_text.text == "Too many API requests."
    for answer in (as_json, as_text):
        assert answer.headers["Remaining-Req"] == f"group={group}; min=600; sec=0"


def test_a_418_names_the_length_of_the_block(server, fetch):
    server.faults.add(Fault("418", path="/v1/orders", seconds=37))
    response = fetch("/v1/orders", "POST", json={})

    assert response.status_code == 418
    assert "blocked for 37 seconds" in response.json()["error"]["message"]
    assert response.headers["Remaining-Req"].startswith("group=order;")


def test_stale_ticker_fault_returns_an_older_price_once(server, fetch, clock):
    before = fetch().json()[0]
    clock.now_s += 120
    server.faults.add(Fault("stale_ticker", seconds=120))
    stale, fresh = fetch().json()[0], fetch().json()[0]

    assert stale == before
    assert fresh["trade_timestamp"] > stale["trade_timestamp"]


def test_stale_ticker_counts_against_the_current_rate_limit(clock, session):
    with SandboxServer(clock=clock) as server:
        server.faults.add(Fault("stale_ticker", nth=2))
        left = [session.get(server.url + TICKER, timeout=30).headers["Remaining-Req"][-1] for _ in range(3)]

    assert left == ["9", "8", "7"]


def test_no_remaining_req_fault_omits_the_header_once(server, fetch):
    server.faults.add(Fault("no_remaining_req"))

    assert "Remaining-Req" not in fetch().headers
    assert "Remaining-Req" in fetch().headers


def test_fill_faults_apply_to_the_next_orders(server, account, clock):
    server.faults.add(Fault("partial_then_cancel"))
    server.faults.add(Fault("never_fill"))
    for name in ("half", "never", "whole"):
        account.buy(identifier=name)
    clock.now_s += 5
    half, never, whole = server.exchange.orders()

    assert (half.state, never.state) == ("cancel", "wait")
    assert 4990 < half.executed_funds <= 5000
    assert never.executed_volume == 0
    assert whole.executed_funds > 9990


def test_market_offline_fault_lasts_until_cleared(server, account):
    server.faults.add(Fault("market_offline", market="KRW-BTC"))
    offline = error(account.buy())
    state = account.get("/v1/orders/chance", {"market": "KRW-BTC"}).json()["market"]["state"]
    server.faults.clear()

    assert offline == (400, "market_offline")
    assert state == "offline"
    assert account.buy().status_code == 201


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "nope"}, "kind is 'nope': it must be one of latency, drop_before"),
        ({"kind": "503", "nth": 0}, "nth is 0: it must be between 1 and"),
        ({"kind": "503", "times": -1}, "times is -1"),
        ({"kind": "503", "every": 0}, "every is 0"),
        ({"kind": "latency", "seconds": float("nan")}, "seconds is nan"),
        ({"kind": "latency", "after": True}, "after is set: latency processes the request anyway"),
        ({"kind": "market_offline"}, "market is '': market_offline needs one"),
        ({"kind": "503", "market": "KRW-BTC"}, "market is 'KRW-BTC': 503 takes none"),
    ],
)
def test_invalid_fault_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Fault(**fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_kind_has_a_help_text(kind):
    assert KINDS[kind].help


def test_documentation_names_every_fault_kind_and_its_failure():
    page = (Path(__file__).parents[3] / "docs" / "sandbox-faults.md").read_text()
    meanings = dict(re.findall(r"^\| ([a-z]+) \| (`model_.*) \|$", page, re.MULTILINE))

    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
    for kind, fault in MODEL_FAULTS.items():
        assert f"`{kind}`" in meanings[fault.failure or "nothing"]
