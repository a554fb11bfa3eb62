"""Upbit's limits: our own pace, Remaining-Req, 429 and the ban."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from tests.clients.peer import Reply, Ticking
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import RateLimited
from tradingsite.clients.response import Answer
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.limits import FIRST_BAN_S, QUOTATION, RequestLimits

BAN = Reply(418, '{"error":{"name":418,"message":"blocked"}}')


def test_eight_requests_go_at_once_and_the_ninth_waits_for_its_second(peer, client, ticking):
    for _ in range(9):
        client.markets()

    assert ticking.slept == [1]


def test_no_second_has_more_than_eight_requests_however_it_is_cut(ticking):
    limits, begun = RequestLimits(ticking.clock), []
    ticking.now += 0.95

    for _ in range(40):
        limits.acquire("ticker", Deadline(60, ticking.clock))
        begun.append(ticking.now)
        ticking.now += 0.01

    for start in begun:
        assert sum(start <= moment < start + 1 for moment in begun) <= QUOTATION.per_second


def test_each_group_has_its_own_pace(peer, client, ticking):
    for _ in range(8):
        client.tickers(["KRW-BTC"])
        client.markets()
        client.orderbooks(["KRW-BTC"])
        client.candles("KRW-BTC", 1, 1)

    assert ticking.slept == []


def test_endpoints_of_one_group_share_its_pace(peer, client, ticking):
    for _ in range(4):
        client.candles("KRW-BTC", 1, 1)
        client.candles("KRW-BTC", 5, 1)
    client.candles("KRW-BTC", 1, 1)

    assert ticking.slept == [1]


def test_all_clients_of_a_process_share_the_pace(peer, make_client, ticking):
    for _ in range(9):
        make_client().markets()

    assert ticking.slept == [1]


def test_a_wait_that_does_not_fit_is_refused_without_a_request(peer, client, ticking):
    for _ in range(8):
        client.markets()

    with pytest.raises(RateLimited, match="our own limit of group market") as caught:
        client.markets(within_s=0.5)

    assert caught.value.retry_after_s == pytest.approx(1)
    assert not caught.value.banned
    assert len(peer.asked) == 8


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("group=market; min=1800; sec=0", [1]),
        ("group=markets;MIN=0;SEC = 0", [1]),
        ("sec=0", [1]),
        ("group=market; min=0; sec=9", []),
        ("group=market; min=1800; sec=00000000000000", []),
        ("nonsense", []),
        ("", []),
    ],
)
def test_no_request_left_waits_for_the_next_second(peer, client, ticking, header, slept):
    peer.script(Reply(headers={"Remaining-Req": header}), Reply())

    client.markets()
    client.markets()

    assert ticking.slept == slept


def test_no_request_left_in_one_group_does_not_hold_another(peer, client, ticking):
    peer.script(Reply(headers={"Remaining-Req": "group=market; sec=0"}), Reply())

    client.markets()
    client.tickers(["KRW-BTC"])

    assert ticking.slept == []


def test_an_error_counts_too(peer, client, ticking):
    peer.script(Reply(404, headers={"Remaining-Req": "group=market; min=0; sec=0"}), Reply())

    with pytest.raises(Exception, match="404"):
        client.markets()
    client.markets()

    assert ticking.slept == [1]


def test_a_429_holds_the_whole_group(peer, client, ticking):
    peer.script(Reply(429, "", {"Retry-After": "5"}), Reply())

    with pytest.raises(RateLimited):
        client.tickers(["KRW-BTC"])
    client.markets()
    client.tickers(["KRW-ETH"])

    assert ticking.slept == [5]


def test_a_ban_stops_every_group_without_a_request_until_it_is_over(peer, client, make_client, ticking):
    peer.script(BAN, Reply())

    with pytest.raises(RateLimited) as first:
        client.tickers(["KRW-BTC"])
    ticking.now += FIRST_BAN_S - 1
    with pytest.raises(RateLimited, match="bans our address for 1 s more") as second:
        make_client(retries=3).markets()

    assert first.value.banned
    assert first.value.retry_after_s == FIRST_BAN_S
    assert second.value.banned
    assert second.value.retry_after_s == pytest.approx(1)
    assert len(peer.asked) == 1

    ticking.now += 1
    client.markets()
    assert len(peer.asked) == 2


def test_another_address_is_not_banned(peer, client, ticking):
    peer.script(BAN, Reply())
    other = UpbitClient(peer.url.replace("127.0.0.1", "localhost"), retries=0, clock=ticking.clock)

    with pytest.raises(RateLimited):
        client.markets()

    assert other.markets() == []


@pytest.mark.parametrize(
    ("reply", "banned_s"),
    [
        (Reply(418, "", {"Retry-After": "120"}), 120),
        (
            Reply(418, '{"error":{"name":418,"message":"blocked for 10 minutes, 10 requests per 1 second"}}'),
            600,
        ),
        (Reply(418, '{"error":{"name":"blocked","message":"300초 동안 차단되었습니다"}}'), 300),
        (Reply(418, '{"error":{"name":418,"message":"30\\ucd08 \\ucc28\\ub2e8"}}'), 30),
        (Reply(418, "Blocked for 2 hours"), 7200),
        (Reply(418, "Blocked 90s."), 90),
        (Reply(418, "Blocked for 1.5 min"), 90),
        (Reply(418, "1시간"), 3600),
        (Reply(418, "", {"Retry-After": "9" * 500}), 86_400),
        (Reply(418, "Blocked for 999999999 hours"), 86_400),
        (Reply(418, "", {"Retry-After": "0"}), FIRST_BAN_S),
        (Reply(418, "<style>a{transition:0.3s}</style>"), FIRST_BAN_S),
        (Reply(418, "blocked"), FIRST_BAN_S),
    ],
)
def test_the_length_of_a_ban_is_taken_from_where_it_may_stand(peer, client, reply, banned_s):
    peer.script(reply)

    with pytest.raises(RateLimited, match="418: Upbit bans our address") as caught:
        client.markets()

    assert caught.value.retry_after_s == banned_s


def test_a_ban_after_a_ban_is_taken_to_be_longer_until_something_succeeds(peer, client, ticking):
    peer.script(*[BAN] * 8, Reply(), BAN)

    def banned_s() -> float:
        with pytest.raises(RateLimited) as caught:
            client.markets()
        ticking.now += caught.value.retry_after_s
        return caught.value.retry_after_s

    assert [banned_s() for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    client.markets()
    assert banned_s() == 60


def test_answers_to_requests_under_way_do_not_make_a_ban_longer(ticking):
    limits, answer = RequestLimits(ticking.clock), Answer("GET /v1/ticker", 418, {}, b"")

    for _ in range(5):
        with pytest.raises(RateLimited) as caught:
            limits.check_answer("ticker", answer)

    assert caught.value.retry_after_s == FIRST_BAN_S


def test_a_short_ban_does_not_end_a_long_one(ticking):
    limits = RequestLimits(ticking.clock)
    for body in (b"600 seconds", b"5 seconds"):
        with pytest.raises(RateLimited):
            limits.check_answer("ticker", Answer("GET /v1/ticker", 418, {}, body))
    ticking.now += 10

    with pytest.raises(RateLimited) as caught:
        limits.acquire("ticker", Deadline(1, ticking.clock))

    assert caught.value.retry_after_s == pytest.approx(590)


def test_a_short_hold_does_not_end_a_long_one(ticking):
    limits = RequestLimits(ticking.clock)
    with pytest.raises(RateLimited):
        limits.check_answer("ticker", Answer("GET /v1/ticker", 429, {"Retry-After": "5"}, b""))
    limits.check_answer("ticker", Answer("GET /v1/ticker", 200, {"Remaining-Req": "sec=0"}, b""))

    limits.acquire("ticker", Deadline(60, ticking.clock))

    assert ticking.slept == [5]


def test_threads_together_keep_the_pace(ticking: Ticking):
    limits, moments = RequestLimits(ticking.clock), list[float]()

    class Hesitant(deque[float]):
        """Lets the other threads go first between the look at the pace and the entry into it."""

        def append(self, moment: float) -> None:
            sleep(0.001)
            moments.append(moment)
            super().append(moment)

    limits._sent_at["ticker"] = Hesitant(maxlen=QUOTATION.per_second)

    def ask(_: int) -> None:
        for _ in range(5):
            limits.acquire("ticker", Deadline(10_000, ticking.clock))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))

    assert len(moments) == 40
    assert (
        max(sum(start <= moment < start + 1 for moment in moments) for start in moments)
        <= QUOTATION.per_second
    )
