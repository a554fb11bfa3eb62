"""Rate limits by key, each group by itself (E23)."""

import pytest
import requests

from tests.sandbox.account import Account, Signature, error
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def open_sandbox(clock):
    servers = []

    def make(**options):
        server = SandboxServer(clock=clock, options=Options(**options))
        servers.append(server.__enter__())
        return server, Account(server.url)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def remaining(response):
    return response.headers["Remaining-Req"]


def test_each_group_has_its_own_rate_limit(open_sandbox, clock):
    _, account = open_sandbox()
    body = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "5000"}

    orders = [account.buy("5000") for _ in range(12)]
    tests = [account.post(body, "/v1/orders/test") for _ in range(8)]
    reads = [account.get("/v1/accounts") for _ in range(29)]
    cancelled = account.delete(uuid="none")  # counts with the reads

    assert {answer.status_code for answer in orders + tests} == {201}
    assert {answer.status_code for answer in reads} == {200}
    assert remaining(orders[0]) == "group=order; min=720; sec=11"
    assert remaining(tests[-1]) == "group=order-test; min=480; sec=0"
    assert remaining(cancelled) == "group=default; min=1800; sec=0"
    for refused in (account.buy(), account.post(body, "/v1/orders/test"), account.get("/v1/api_keys")):
        assert error(refused) == (429, "too_many_requests")
        assert remaining(refused).endswith("sec=0")
    clock.now_s += 1
    assert account.buy("5000").status_code == 201


def test_rate_limited_post_is_recorded_and_keeps_its_identifier_usable(open_sandbox, clock):
    server, account = open_sandbox()
    for _ in range(12):
        account.buy("5000")
    assert account.buy("5000", identifier="late").status_code == 429
    assert server.exchange.posts[-1][1:] == ("late", 429)
    clock.now_s += 1

    assert account.buy("5000", identifier="late").status_code == 201


def test_requests_after_429_block_the_key(open_sandbox, clock):
    _, account = open_sandbox(refusals_before_block=3)
    answers = [account.buy("5000") for _ in range(15)]

    assert answers[-1].status_code == 418
    assert "10 seconds" in answers[-1].json()["error"]["message"]
    assert account.get("/v1/accounts").status_code == 418
    ticker = requests.get(f"{account.url}/v1/ticker", params={"markets": "KRW-BTC"}, timeout=30)
    assert ticker.status_code == 200  # another counter: by address
    clock.now_s += 10
    assert account.get("/v1/accounts").status_code == 200


def test_option_makes_429_plain_text(open_sandbox):
    _, account = open_sandbox(plain_text_429=True)
    answers = [account.buy("5000") for _ in range(13)]

    assert (answers[-1].status_code, answers[-1].text) == (429, "Too many API requests.")


def test_another_key_has_its_own_rate_limit(open_sandbox):
    _, account = open_sandbox()
    other = Account(account.url)
    other.http.auth = Signature(access_key="other")

    answers = [other.get("/v1/accounts") for _ in range(31)]
    unsigned = requests.get(f"{account.url}/v1/accounts", timeout=30)
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert unsigned.status_code == 429  # by address, both
    assert remaining(account.get("/v1/accounts")) == "group=default; min=1800; sec=29"
