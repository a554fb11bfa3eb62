"""Rate limits: windows, refusals, blocks."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import NOON, getter
from tradingsite.sandbox.limits import Limit, RateLimiter
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

REMAINING = re.compile(r"^group=([a-z]+); min=(\d+); sec=(\d+)$")
TICKER = "/v1/ticker?markets=KRW-BTC"


@pytest.fixture
def open_sandbox(session, clock):
    """Servers with options, all on the same clock."""
    servers = []

    def make(**options):
        server = SandboxServer(clock=clock, options=Options(**options))
        servers.append(server.__enter__())
        return getter(session, server)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def statuses(get, path, count):
    return [get(path).status_code for _ in range(count)]


def remaining(response):
    """Return group, requests a minute and requests left in this window, as the header tells them."""
    [(group, per_min, left)] = REMAINING.findall(response.headers["Remaining-Req"])
    return group, int(per_min), int(left)


def left(response):
    return remaining(response)[2]


def test_eleventh_request_is_a_429_until_the_next_second(open_sandbox, clock):
    get = open_sandbox()
    clock.now_s = NOON.timestamp()  # half past a second: windows are fixed, not sliding

    assert [left(get(TICKER)) for _ in range(10)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    refused = get(TICKER)
    assert refused.status_code == 429
    assert refused.json() == {"error": {"name": 429, "message": "Too many API requests."}}
    assert refused.headers["Remaining-Req"] == "group=ticker; min=600; sec=0"

    clock.now_s += 0.49
    assert get(TICKER).status_code == 429
    clock.now_s += 0.02
    assert left(get(TICKER)) == 9


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/v1/market/all", "market"),
        ("/v1/candles/minutes/1?market=KRW-BTC", "candle"),
        ("/v1/trades/ticks?market=KRW-BTC", "trade"),
        ("/v1/ticker?markets=KRW-BTC", "ticker"),
        ("/v1/orderbook?markets=KRW-BTC", "orderbook"),
    ],
)
def test_every_group_has_its_own_ten_requests(open_sandbox, path, group):
    get = open_sandbox()
    statuses(get, TICKER if group != "ticker" else "/v1/market/all", 10)

    assert statuses(get, path, 11) == [200] * 10 + [429]
    assert remaining(get(path)) == (group, 600, 0)


@pytest.mark.parametrize(
    "paths",
    [
        ("/v1/ticker?markets=KRW-BTC", "/v1/ticker/all?quote_currencies=BTC"),
        ("/v1/candles/days?market=KRW-BTC", "/v1/candles/minutes/5?market=KRW-BTC"),
        ("/v1/orderbook?markets=KRW-BTC", "/v1/orderbook/instruments?markets=KRW-BTC"),
    ],
)
def test_endpoints_of_a_group_share_its_rate_limit(open_sandbox, paths):
    get = open_sandbox()

    assert [left(get(path)) for path in paths] == [9, 8]


def test_invalid_request_counts_against_the_limit(open_sandbox):
    get = open_sandbox()

    assert [left(get("/v1/ticker?markets=KRW-NO")), left(get(TICKER))] == [9, 8]


def test_option_makes_429_plain_text(open_sandbox):
    get = open_sandbox(plain_text_429=True, limits={"ticker": Limit(0)})

    response = get(TICKER)

    assert response.status_code == 429
    assert response.text == "Too many API requests."
    assert response.headers["Content-Type"].startswith("text/plain")
    assert left(response) == 0


def test_requests_after_429_block_the_address_for_a_time(open_sandbox, clock):
    get = open_sandbox(refusals_before_block=3, first_block_s=10)
    statuses(get, TICKER, 10)

    assert statuses(get, TICKER, 3) == [429, 429, 418]
    assert get("/v1/market/all").status_code == 418  # every group of the address
    clock.now_s += 9.5
    blocked = get(TICKER)
    assert blocked.status_code == 418
    assert blocked.json() == {
        "error": {
            "name": 418,
            "message": "Too many API requests. Your address is blocked for 1 seconds.",
        }
    }
    assert left(blocked) == 0

    clock.now_s += 0.5
    assert get(TICKER).status_code == 200


def block(limiter, at_s):
    """Send requests until blocked; return the length of the block."""
    return next(
        verdict.blocked_s for _ in range(10) if (verdict := limiter.judge("me", "ticker", at_s)).blocked_s
    )


def test_each_further_block_doubles_up_to_an_hour():
    limiter = RateLimiter({"ticker": Limit(0)}, refusals_before_block=2, first_block_s=600)
    at_s, lengths = 1000.0, []
    for _ in range(5):
        lengths.append(block(limiter, at_s))
        at_s += lengths[-1]

    assert lengths == [600, 1200, 2400, 3600, 3600]
    assert block(limiter, at_s + 3601) == 600  # an hour of peace and all is forgotten


def test_accepted_request_resets_the_count_of_refusals():
    limiter = RateLimiter({"ticker": Limit(1)}, refusals_before_block=3)

    for second in range(10):
        verdicts = [limiter.judge("me", "ticker", float(second)) for _ in range(3)]
        assert [verdict.allowed for verdict in verdicts] == [True, False, False]
        assert not any(verdict.blocked_s for verdict in verdicts)


def test_each_address_has_its_own_rate_limit():
    limiter = RateLimiter({"ticker": Limit(1)}, refusals_before_block=1)
    limiter.judge("me", "ticker", 5.0)

    assert limiter.judge("me", "ticker", 5.0).blocked_s
    assert limiter.judge("you", "ticker", 5.0).allowed


def test_request_with_an_origin_is_limited_to_one_in_ten_seconds(session, clock):
    with SandboxServer(clock=clock) as server:
        clock.now_s = NOON.replace(second=31).timestamp()
        answers = []
        for wait_s in (0, 1, 8):  # :31, :32, :40
            clock.now_s += wait_s
            answers.append(
                session.get(server.url + TICKER, headers={"Origin": "http://localhost"}, timeout=30)
            )
        assert getter(session, server)(TICKER).status_code == 200

    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[0].headers["Remaining-Req"] == "group=origin; min=6; sec=0"


class Hesitant(Limit):
    """Lets other threads run at every access, so that a missing lock shows."""

    def __getattribute__(self, name):
        time.sleep(0.0001)
        return super().__getattribute__(name)


def test_threads_never_get_more_than_the_limit():
    limiter = RateLimiter({"ticker": Hesitant(3)}, refusals_before_block=10_000)
    with ThreadPoolExecutor(8) as threads:
        for second in range(10):
            verdicts = list(
                threads.map(lambda at_s: limiter.judge("me", "ticker", at_s), [float(second)] * 8)
            )
            assert sum(verdict.allowed for verdict in verdicts) == 3
