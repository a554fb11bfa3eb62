"""A call ends at its deadline, whatever the server does. Else these tests hang until their timeout."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.clients.peer import CERTIFICATE, LONG_TIMEOUT_S, FakeClock, Handler, Peer, Reply, stepping_clock
from tradingsite.clients.connection import Bounds, bounded, new_session
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import TimedOut, Unavailable, Unreachable
from tradingsite.clients.upbit.client import UpbitClient

pytestmark = pytest.mark.timeout(60)

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        HEAD + b"X-Slow: ",
        HEAD + b"Content-Length: 1000000\r\n\r\n[",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n[",
        HEAD + b"Connection: close\r\n\r\n[",
    ],
    ids=["status line", "header", "body", "chunk size", "chunk", "body without end"],
)
def test_dripping_response_times_out_at_the_deadline(peer, start):
    peer.script(lambda handler: handler.drip(start))
    client = UpbitClient(peer.url, read_timeout_s=LONG_TIMEOUT_S, retries=0)

    with pytest.raises(TimedOut, match=r"no whole answer within 0\.15 s"):
        client.markets(within_s=0.15)


def test_dripping_response_ends_the_call_without_a_retry(peer, make_client, fake_clock):
    def let_the_time_pass(handler: Handler) -> None:
        fake_clock.now += 60
        handler.drip(HEAD)

    peer.script(let_the_time_pass)

    with pytest.raises(TimedOut, match="no whole answer within 8 s"):
        make_client(retries=3).markets(within_s=8)
    assert len(peer.requests) == 1


def test_error_status_with_a_dripping_body_keeps_its_error(peer, make_client):
    peer.script(lambda handler: handler.drip(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n"))

    # The status is there after a dozen readings of the clock; the deadline is the thirtieth, in the body.
    with pytest.raises(Unavailable):
        make_client(clock=stepping_clock(0.1)).markets(within_s=3)


def test_silent_server_times_out_after_the_read_timeout(peer):
    peer.script(Handler.stay_silent)

    with pytest.raises(TimedOut, match="no answer in time"):
        UpbitClient(peer.url, read_timeout_s=0.1, wall_clock_s=LONG_TIMEOUT_S, retries=0).markets()


def test_read_timeout_restarts_with_each_call_on_a_kept_connection(peer):
    clock = FakeClock()
    peer.script(Reply(), Reply(), Handler.stay_silent)
    client = UpbitClient(peer.url, read_timeout_s=LONG_TIMEOUT_S, retries=1, clock=clock.clock)

    for _ in range(2):
        client.markets(within_s=LONG_TIMEOUT_S)
        clock.now += 2 * LONG_TIMEOUT_S  # a limit of this call would be over in the next
    with pytest.raises(TimedOut, match="no answer in time"):
        client.markets(within_s=0.2)

    assert len({request.connection for request in peer.requests}) == 1


def test_unanswered_connect_ends_after_the_connect_timeout(saturated_address):
    host, port = saturated_address

    with pytest.raises(TimedOut, match="no connection in time"):
        UpbitClient(f"http://{host}:{port}", connect_timeout_s=0.1, retries=0).markets()


def test_many_unanswering_addresses_do_not_outlast_the_deadline(saturated_address, monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", saturated_address)] * 1000
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    with pytest.raises(TimedOut, match=r"no whole answer within 0\.15 s"):
        UpbitClient("http://exchange.invalid", connect_timeout_s=0.1, retries=0).markets(within_s=0.15)


def test_next_address_is_tried_when_one_does_not_answer(peer, saturated_address, monkeypatch):
    addresses = [saturated_address, ("127.0.0.1", 1), peer.server_address]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    # Even on a busy machine the kernel answers a connect on loopback within the half second.
    client = UpbitClient(
        "http://exchange.invalid",
        connect_timeout_s=0.5,
        read_timeout_s=LONG_TIMEOUT_S,
        wall_clock_s=LONG_TIMEOUT_S,
        retries=0,
    )
    assert client.markets() == []


def test_unsupported_address_family_is_skipped(peer, fake_clock, monkeypatch):
    found = [(family, socket.SOCK_STREAM, 6, "", peer.server_address) for family in (12345, socket.AF_INET)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert UpbitClient("http://exchange.invalid", retries=0, clock=fake_clock.clock).markets() == []


def test_error_reason_is_that_of_the_last_failed_address(saturated_address, monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
        for address in [saturated_address, ("127.0.0.1", 1)]
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    with pytest.raises(Unreachable, match="connection refused"):
        UpbitClient("http://exchange.invalid", connect_timeout_s=0.1, retries=0).markets()


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "dripping"])
def test_endless_tls_handshake_times_out_at_the_deadline(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def stall() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # the client has gone
                connection.sendall(start)
                while not ended.wait(0.02):
                    connection.sendall(b"\x00" if start else b"")

        threading.Thread(target=stall, daemon=True).start()  # not joined: a late client never connects
        with pytest.raises(TimedOut, match=r"within 0\.15 s"):
            UpbitClient(f"https://127.0.0.1:{server.getsockname()[1]}", retries=0).markets(within_s=0.15)
        ended.set()


@pytest.fixture
def tls_peer() -> Iterator[Peer]:
    peer = Peer(scheme="https")
    peer.speak_tls()
    with peer.running():
        yield peer


def test_bounded_connections_support_tls(tls_peer):
    tls_peer.script(Reply(body="x" * 300_000))

    with new_session() as session, bounded(Bounds(LONG_TIMEOUT_S, LONG_TIMEOUT_S, Deadline(LONG_TIMEOUT_S))):
        session.verify = str(CERTIFICATE)
        assert len(session.get(tls_peer.url).content) == 300_000


def test_dripping_response_over_tls_times_out(tls_peer):
    tls_peer.script(lambda handler: handler.drip(HEAD + b"Content-Length: 1000000\r\n\r\n"))

    with new_session() as session, bounded(Bounds(LONG_TIMEOUT_S, LONG_TIMEOUT_S, Deadline(0.15))):
        session.verify = str(CERTIFICATE)
        with pytest.raises(OSError, match=r"timed out|the time for this call is over"):
            session.get(tls_peer.url)


def test_peer_of_these_tests_really_drips_bytes(peer):
    peer.script(lambda handler: Handler.drip(handler, HEAD + b"Content-Length: 3\r\n\r\n"))

    with new_session() as session, bounded(Bounds(LONG_TIMEOUT_S, LONG_TIMEOUT_S, Deadline(LONG_TIMEOUT_S))):
        assert session.get(peer.url).content == b"111"
