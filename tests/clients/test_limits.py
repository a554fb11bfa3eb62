"""Rate limits: our own, Remaining-Req, 429 and bans."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from tests.clients.peer import FakeClock, Reply
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import RateLimited
from tradingsite.clients.response import Answer
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.limits import FIRST_BAN_S, QUOTATION, RequestLimits

BAN = Reply(418, '{"error":{"name":418,"message":"blocked"}}')


def test_ninth_request_waits_for_the_next_second(peer, client, fake_clock):
    for _ in range(9):
        client.markets()

    assert fake_clock.slept == [1]


def test_no_sliding_second_has_more_than_eight_requests(fake_clock):
    limits, begun = RequestLimits(fake_clock.clock), []
    fake_clock.now += 0.95

    for _ in range(40):
        limits.acquire("ticker", Deadline(60, fake_clock.clock))
        begun.append(fake_clock.now)
        fake_clock.now += 0.01

    for start in begun:
        assert sum(start <= moment < start + 1 for moment in begun) <= QUOTATION.per_second


def test_each_group_has_its_own_rate_limit(peer, client, fake_clock):
    for _ in range(8):
        client.tickers(["KRW-BTC"])
        client.markets()
        client.orderbooks(["KRW-BTC"])
        client.candles("KRW-BTC", 1, 1)

    assert fake_clock.slept == []


def test_endpoints_of_a_group_share_its_rate_limit(peer, client, fake_clock):
    for _ in range(4):
        client.candles("KRW-BTC", 1, 1)
        client.candles("KRW-BTC", 5, 1)
    client.candles("KRW-BTC", 1, 1)

    assert fake_clock.slept == [1]


def test_all_clients_of_a_process_share_the_rate_limit(peer, make_client, fake_clock):
    for _ in range(9):
        make_client().markets()

    assert fake_clock.slept == [1]


def test_wait_longer_than_the_deadline_is_refused_without_a_request(peer, client, fake_clock):
    for _ in range(8):
        client.markets()

    with pytest.raises(RateLimited, match="our own limit of group market") as caught:
        client.markets(within_s=0.5)

    assert caught.value.retry_after_s == pytest.approx(1)
    assert not caught.value.banned
    assert len(peer.requests) == 8


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
def test_remaining_req_of_zero_waits_for_the_next_second(peer, client, fake_clock, header, slept):
    peer.script(Reply(headers={"Remaining-Req": header}), Reply())

    client.markets()
    client.markets()

    assert fake_clock.slept == slept


def test_exhausted_group_does_not_delay_another(peer, client, fake_clock):
    peer.script(Reply(headers={"Remaining-Req": "group=market; sec=0"}), Reply())

    client.markets()
    client.tickers(["KRW-BTC"])

    assert fake_clock.slept == []


def test_remaining_req_of_an_error_is_obeyed(peer, client, fake_clock):
    peer.script(Reply(404, headers={"Remaining-Req": "group=market; min=0; sec=0"}), Reply())

    with pytest.raises(Exception, match="404"):
        client.markets()
    client.markets()

    assert fake_clock.slept == [1]


def test_retry_after_of_a_429_delays_the_whole_group(peer, client, fake_clock):
    peer.script(Reply(429, "", {"Retry-After": "5"}), Reply())

    with pytest.raises(RateLimited):
        client.tickers(["KRW-BTC"])
    client.markets()
    client.tickers(["KRW-ETH"])

    assert fake_clock.slept == [5]


def test_ban_stops_every_group_until_it_ends(peer, client, make_client, fake_clock):
    peer.script(BAN, Reply())

    with pytest.raises(RateLimited) as first:
        client.tickers(["KRW-BTC"])
    fake_clock.now += FIRST_BAN_S - 1
    with pytest.raises(RateLimited, match="bans our address for 1 s more") as second:
        make_client(retries=3).markets()

    assert first.value.banned
    assert first.value.retry_after_s == FIRST_BAN_S
    assert second.value.banned
    assert second.value.retry_after_s == pytest.approx(1)
    assert len(peer.requests) == 1

    fake_clock.now += 1
    client.markets()
    assert len(peer.requests) == 2


def test_ban_is_per_address(peer, client, fake_clock):
    peer.script(BAN, Reply())
    other = UpbitClient(peer.url.replace("127.0.0.1", "localhost"), retries=0, clock=fake_clock.clock)

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
def test_ban_length_is_read_from_header_or_message(peer, client, reply, banned_s):
    peer.script(reply)

    with pytest.raises(RateLimited, match="418: Upbit bans our address") as caught:
        client.markets()

    assert caught.value.retry_after_s == banned_s


def test_repeated_bans_double_until_a_success(peer, client, fake_clock):
    peer.script(*[BAN] * 8, Reply(), BAN)

    def banned_s() -> float:
        with pytest.raises(RateLimited) as caught:
            client.markets()
        fake_clock.now += caught.value.retry_after_s
        return caught.value.retry_after_s

    assert [banned_s() for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    client.markets()
    assert banned_s() == 60


def test_concurrent_418_answers_do_not_extend_a_ban(fake_clock):
    limits, answer = RequestLimits(fake_clock.clock), Answer("GET /v1/ticker", 418, {}, b"")

    for _ in range(5):
        with pytest.raises(RateLimited) as caught:
            limits.check_answer("ticker", answer)

    assert caught.value.retry_after_s == FIRST_BAN_S


def test_short_ban_does_not_shorten_a_long_one(fake_clock):
    limits = RequestLimits(fake_clock.clock)
    for body in (b"600 seconds", b"5 seconds"):
        with pytest.raises(RateLimited):
            limits.check_answer("ticker", Answer("GET /v1/ticker", 418, {}, body))
    fake_clock.now += 10

    with pytest.raises(RateLimited) as caught:
        limits.acquire("ticker", Deadline(1, fake_clock.clock))

    assert caught.value.retry_after_s == pytest.approx(590)


def test_short_delay_does_not_shorten_a_long_one(fake_clock):
    limits = RequestLimits(fake_clock.clock)
    with pytest.raises(RateLimited):
        limits.check_answer("ticker", Answer("GET /v1/ticker", 429, {"Retry-After": "5"}, b""))
    limits.check_answer("ticker", Answer("GET /v1/ticker", 200, {"Remaining-Req": "sec=0"}, b""))

    limits.acquire("ticker", Deadline(60, fake_clock.clock))

    assert fake_clock.slept == [5]


def test_threads_together_keep_the_rate_limit(fake_clock: FakeClock):
    limits, moments = RequestLimits(fake_clock.clock), list[float]()

    class Hesitant(deque[float]):
        """Lets the other threads run between the check of the limit and the entry that counts."""

        def append(self, moment: float) -> None:
            sleep(0.001)
            moments.append(moment)
            super().append(moment)

    limits._sent_at["ticker"] = Hesitant(maxlen=QUOTATION.per_second)

    def enter_five_times(_: int) -> None:
        for _ in range(5):
            limits.acquire("ticker", Deadline(10_000, fake_clock.clock))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter_five_times, range(8)))

    assert len(moments) == 40
    assert (
        max(sum(start <= moment < start + 1 for moment in moments) for start in moments)
        <= QUOTATION.per_second
    )
