"""A call ends with its time, whatever the peer does. Without that, these tests hang until their timeout."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.clients.peer import CERTIFICATE, Handler, Peer, Reply
from tradingsite.clients.connection import Bounds, bounded, new_session
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import TimedOut, Unavailable, Unreachable
from tradingsite.clients.upbit.client import UpbitClient

pytestmark = pytest.mark.timeout(20)

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
def test_a_peer_that_drips_is_left_when_the_time_is_over(peer, start):
    peer.script(lambda handler: handler.drip(start))
    client = UpbitClient(peer.url, read_timeout_s=5, retries=0)

    with pytest.raises(TimedOut, match=r"no whole answer within 0\.15 s"):
        client.markets(within_s=0.15)


def test_a_drip_ends_the_call_not_one_attempt(peer):
    peer.script(lambda handler: handler.drip(HEAD))

    with pytest.raises(TimedOut, match=r"no whole answer within 0\.15 s"):
        UpbitClient(peer.url, wall_clock_s=0.15, retries=3).markets()
    assert len(peer.asked) == 1


def test_an_error_with_a_dripping_body_is_still_that_error(peer):
    peer.script(lambda handler: handler.drip(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\n"))

    with pytest.raises(Unavailable):
        UpbitClient(peer.url, retries=0).markets(within_s=0.5)


def test_a_silent_peer_is_left_after_the_read_timeout(peer):
    peer.script(lambda handler: handler.server.closing.wait(10))

    with pytest.raises(TimedOut, match="no answer in time"):
        UpbitClient(peer.url, read_timeout_s=0.1, retries=0).markets()


def test_the_read_timeout_starts_again_with_each_call_on_a_kept_connection(peer):
    peer.script(Reply(), Reply(), lambda handler: handler.server.closing.wait(10))
    client = UpbitClient(peer.url, read_timeout_s=0.5, retries=1)

    client.markets(within_s=1)
    client.markets(within_s=1)
    with pytest.raises(TimedOut, match="no answer in time"):
        client.markets(within_s=1)

    assert len({asked.connection for asked in peer.asked}) == 1


def test_a_connect_without_an_answer_ends_after_its_timeout(full_house):
    host, port = full_house

    with pytest.raises(TimedOut, match="no connection in time"):
        UpbitClient(f"http://{host}:{port}", connect_timeout_s=0.1, retries=0).markets()


def test_a_name_with_many_silent_addresses_does_not_outlast_the_call(full_house, monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full_house)] * 1000
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    with pytest.raises(TimedOut, match=r"no whole answer within 0\.15 s"):
        UpbitClient("http://exchange.invalid", connect_timeout_s=0.1, retries=0).markets(within_s=0.15)


def test_the_next_address_is_tried_when_one_does_not_answer(peer, full_house, monkeypatch):
    addresses = [full_house, ("127.0.0.1", 1), peer.server_address]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert UpbitClient("http://exchange.invalid", connect_timeout_s=0.1, retries=0).markets() == []


def test_a_kind_of_address_that_this_machine_does_not_have_is_passed_over(peer, monkeypatch):
    found = [(family, socket.SOCK_STREAM, 6, "", peer.server_address) for family in (12345, socket.AF_INET)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert UpbitClient("http://exchange.invalid", retries=0).markets() == []


def test_the_reason_tells_the_last_address_that_failed(full_house, monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in [full_house, ("127.0.0.1", 1)]
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    with pytest.raises(Unreachable, match="connection refused"):
        UpbitClient("http://exchange.invalid", connect_timeout_s=0.1, retries=0).markets()


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "dripping"])
def test_a_tls_handshake_that_does_not_end_is_left(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = threading.Event()

        def stall() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(start)
                while not left.wait(0.02):
                    connection.sendall(b"\x00" if start else b"")

        thread = threading.Thread(target=stall)
        thread.start()
        with pytest.raises(TimedOut, match=r"within 0\.15 s"):
            UpbitClient(f"https://127.0.0.1:{server.getsockname()[1]}", retries=0).markets(within_s=0.15)
        left.set()
        thread.join()


@pytest.fixture
def secret() -> Iterator[Peer]:
    peer = Peer(scheme="https")
    peer.speak_tls()
    with peer.running():
        yield peer


def test_the_same_connections_speak_tls(secret):
    secret.script(Reply(body="x" * 300_000))

    with new_session() as session, bounded(Bounds(10, 10, Deadline(10))):
        session.verify = str(CERTIFICATE)
        assert len(session.get(secret.url).content) == 300_000


def test_a_drip_over_tls_is_left_too(secret):
    secret.script(lambda handler: handler.drip(HEAD + b"Content-Length: 1000000\r\n\r\n"))

    with new_session() as session, bounded(Bounds(1, 5, Deadline(0.15))):
        session.verify = str(CERTIFICATE)
        with pytest.raises(OSError, match=r"timed out|the time for this call is over"):
            session.get(secret.url)


def test_a_handler_that_is_used_above_really_drips(peer):
    peer.script(lambda handler: Handler.drip(handler, HEAD + b"Content-Length: 3\r\n\r\n"))

    with new_session() as session, bounded(Bounds(10, 10, Deadline(10))):
        assert session.get(peer.url).content == b"111"
