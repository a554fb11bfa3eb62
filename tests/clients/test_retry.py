"""Retries of reads: how many, and after which delay."""

import pytest

from tests.clients import samples
from tests.clients.peer import Handler, Reply
from tradingsite.clients.errors import InvalidResponse, RateLimited, Rejected, Retryable, Unavailable

TICKERS = Reply(body=samples.array(samples.TICKER))


def test_retry_delays_are_1_2_and_4_seconds(peer, make_client, fake_clock):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=3, wall_clock_s=60).tickers(["KRW-BTC"])

    assert fake_clock.slept == [1, 2, 4]
    assert len(peer.requests) == 4


def test_later_retry_delays_stay_at_4_seconds(peer, make_client, fake_clock):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=5, wall_clock_s=60).tickers(["KRW-BTC"])

    assert fake_clock.slept == [1, 2, 4, 4, 4]


@pytest.mark.parametrize(
    "fault", [Reply(503), Reply(429, "Too many"), Handler.hang_up], ids=["5xx", "429", "dropped"]
)
def test_retried_read_returns_the_later_answer(peer, make_client, fake_clock, fault):
    peer.script(fault, TICKERS)

    assert len(make_client(retries=3).tickers(["KRW-BTC"])) == 1
    assert fake_clock.slept == [1]


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(400), Rejected), (Reply(404), Rejected), (Reply(200, "<html>"), InvalidResponse)],
)
def test_permanent_error_is_not_retried(peer, make_client, fake_clock, reply, error):
    peer.script(reply)

    with pytest.raises(error):
        make_client(retries=3).tickers(["KRW-BTC"])

    assert fake_clock.slept == []
    assert len(peer.requests) == 1


def test_ban_is_not_retried(peer, make_client, fake_clock):
    peer.script(Reply(418, "", {"Retry-After": "1"}))

    with pytest.raises(RateLimited):
        make_client(retries=3).tickers(["KRW-BTC"])

    assert fake_clock.slept == []
    assert len(peer.requests) == 1


def test_zero_retries_send_one_request(peer, client, fake_clock):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        client.tickers(["KRW-BTC"])

    assert fake_clock.slept == []
    assert len(peer.requests) == 1


@pytest.mark.parametrize(("within_s", "slept"), [(8, [1, 2, 4]), (7, [1, 2]), (3.5, [1, 2]), (1, [])])
def test_delay_longer_than_the_time_left_is_not_started(peer, make_client, fake_clock, within_s, slept):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=3).tickers(["KRW-BTC"], within_s=within_s)

    assert fake_clock.slept == slept


def test_wall_clock_limit_covers_all_requests_of_a_call(peer, make_client, fake_clock):
    markets = [f"KRW-COIN{number}" for number in range(500)]
    peer.script(Reply(503), Reply(), Reply(503))

    with pytest.raises(Retryable):
        make_client(retries=3, wall_clock_s=3.5).tickers(markets)

    assert fake_clock.slept == [1, 1]


@pytest.mark.parametrize(("header", "delay_s"), [("3", 3), ("0", 1), ("soon", 1), ("²", 1)])
def test_retry_waits_for_retry_after_and_at_least_a_second(peer, make_client, fake_clock, header, delay_s):
    peer.script(Reply(429, "Too many API requests.", {"Retry-After": header}), TICKERS)

    make_client(retries=1).tickers(["KRW-BTC"])

    assert fake_clock.slept == [delay_s]


def test_a_429_with_a_delay_beyond_the_deadline_is_raised_at_once(peer, make_client, fake_clock):
    peer.script(Reply(429, "", {"Retry-After": "30"}))

    with pytest.raises(RateLimited) as caught:
        make_client(retries=3).tickers(["KRW-BTC"])

    assert caught.value.retry_after_s == 30
    assert fake_clock.slept == []


def test_retries_are_logged_with_the_error(peer, make_client, caplog):
    peer.script(Reply(503, "busy"), TICKERS)

    make_client(retries=1).tickers(["KRW-BTC"])

    assert "read.again" in caplog.text
    assert "503: busy" in caplog.text
