"""How often, and how long after, a read is tried again."""

import pytest

from tests.clients import samples
from tests.clients.peer import Handler, Reply
from tradingsite.clients.errors import InvalidResponse, RateLimited, Rejected, Retryable, Unavailable

TICKERS = Reply(body=samples.array(samples.TICKER))


def test_delays_are_one_two_and_four_seconds(peer, make_client, ticking):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=3, wall_clock_s=60).tickers(["KRW-BTC"])

    assert ticking.slept == [1, 2, 4]
    assert len(peer.asked) == 4


def test_later_delays_stay_at_four_seconds(peer, make_client, ticking):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=5, wall_clock_s=60).tickers(["KRW-BTC"])

    assert ticking.slept == [1, 2, 4, 4, 4]


@pytest.mark.parametrize(
    "fault", [Reply(503), Reply(429, "Too many"), Handler.hang_up], ids=["5xx", "429", "dropped"]
)
def test_a_read_that_succeeds_later_is_a_success(peer, make_client, ticking, fault):
    peer.script(fault, TICKERS)

    assert len(make_client(retries=3).tickers(["KRW-BTC"])) == 1
    assert ticking.slept == [1]


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(400), Rejected), (Reply(404), Rejected), (Reply(200, "<html>"), InvalidResponse)],
)
def test_what_will_fail_again_is_not_repeated(peer, make_client, ticking, reply, error):
    peer.script(reply)

    with pytest.raises(error):
        make_client(retries=3).tickers(["KRW-BTC"])

    assert ticking.slept == []
    assert len(peer.asked) == 1


def test_a_ban_is_not_waited_for(peer, make_client, ticking):
    peer.script(Reply(418, "", {"Retry-After": "1"}))

    with pytest.raises(RateLimited):
        make_client(retries=3).tickers(["KRW-BTC"])

    assert ticking.slept == []
    assert len(peer.asked) == 1


def test_no_retries_is_one_request(peer, client, ticking):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        client.tickers(["KRW-BTC"])

    assert ticking.slept == []
    assert len(peer.asked) == 1


@pytest.mark.parametrize(("within_s", "slept"), [(8, [1, 2, 4]), (7, [1, 2]), (3.5, [1, 2]), (1, [])])
def test_a_delay_that_does_not_fit_is_not_begun(peer, make_client, ticking, within_s, slept):
    peer.script(Reply(503))

    with pytest.raises(Unavailable):
        make_client(retries=3).tickers(["KRW-BTC"], within_s=within_s)

    assert ticking.slept == slept


def test_the_wall_clock_covers_all_requests_of_a_call(peer, make_client, ticking):
    markets = [f"KRW-COIN{number}" for number in range(500)]
    peer.script(Reply(503), Reply(), Reply(503))

    with pytest.raises(Retryable):
        make_client(retries=3, wall_clock_s=3.5).tickers(markets)

    assert ticking.slept == [1, 1]


@pytest.mark.parametrize(("header", "delay_s"), [("3", 3), ("0", 1), ("soon", 1), ("²", 1)])
def test_a_429_is_waited_for_as_long_as_it_says_and_a_second_at_least(
    peer, make_client, ticking, header, delay_s
):
    peer.script(Reply(429, "Too many API requests.", {"Retry-After": header}), TICKERS)

    make_client(retries=1).tickers(["KRW-BTC"])

    assert ticking.slept == [delay_s]


def test_a_429_that_says_longer_than_we_have_is_raised_at_once(peer, make_client, ticking):
    peer.script(Reply(429, "", {"Retry-After": "30"}))

    with pytest.raises(RateLimited) as caught:
        make_client(retries=3).tickers(["KRW-BTC"])

    assert caught.value.retry_after_s == 30
    assert ticking.slept == []


def test_retries_are_logged_with_their_reason(peer, make_client, caplog):
    peer.script(Reply(503, "busy"), TICKERS)

    make_client(retries=1).tickers(["KRW-BTC"])

    assert "read.again" in caplog.text
    assert "503: busy" in caplog.text
