"""What is known of an order after its one POST (docs/upbit-client.md U14 to U18)."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest

from tests.clients import samples
from tests.clients.peer import CERTIFICATE, LONG_TIMEOUT_S, FakeClock, Handler, Peer, Reply
from tests.clients.samples import ACCESS_KEY, SECRET_KEY
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.outcome import Accepted, NeverSent, OrderRefused, Unknown

BUY = OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal(10000))
SELL = OrderRequest("KRW-BTC", "ask", "market", "sig-2", volume=Decimal("1E-8"))
PAGE = "<!doctype html><html>busy</html>"


def place(url: str, *, within_s: float = LONG_TIMEOUT_S, **options) -> object:
    options = {"connect_timeout_s": LONG_TIMEOUT_S, **options}
    return UpbitExchange(url, ACCESS_KEY, SECRET_KEY, **options).place(BUY, within_s=within_s)


def test_order_answered_with_201_is_accepted(peer, exchange):
    peer.script(Reply(201, samples.ORDER))

    outcome = exchange.place(BUY, within_s=5)

    assert isinstance(outcome, Accepted)
    assert (outcome.order.uuid, outcome.order.state, outcome.order.volume) == ("U-1", "wait", None)
    [request] = peer.requests
    assert (request.method, request.path, request.query) == ("POST", "/v1/orders", {})
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["authorization"].startswith("Bearer ")
    assert list(json.loads(request.body).items()) == [
        ("market", "KRW-BTC"),
        ("side", "bid"),
        ("ord_type", "price"),
        ("price", "10000"),
        ("identifier", "sig-1"),
    ]


@pytest.mark.parametrize(
    ("volume", "written"),
    [("1E-8", "0.00000001"), ("0.10000000", "0.1"), ("1E+3", "1000"), ("12.500", "12.5"), ("100", "100")],
)
def test_amounts_are_sent_without_an_exponent(peer, exchange, volume, written):
    exchange.place(OrderRequest("KRW-BTC", "ask", "market", "sig-2", volume=Decimal(volume)), within_s=5)

    assert json.loads(peer.requests[0].body)["volume"] == written


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (400, samples.upbit_error("insufficient_funds_bid"), "insufficient_funds_bid"),
        (400, samples.upbit_error("market_offline"), "market_offline"),
        (401, samples.upbit_error("jwt_verification"), "jwt_verification"),
        (401, samples.upbit_error("nonce_used"), "nonce_used"),
        (403, samples.upbit_error("out_of_scope"), "out_of_scope"),
        (404, samples.upbit_error(404), "404"),
        (422, samples.upbit_error("something_new"), "something_new"),
        (429, samples.upbit_error("too_many_requests"), "too_many_requests"),
        (429, "Too many API requests.", "429"),
        (429, '{"message":"API rate limit exceeded"}', "429"),
    ],
)
def test_upbits_4xx_error_body_is_a_proven_refusal(peer, exchange, status, body, name):
    peer.script(Reply(status, body))

    outcome = exchange.place(BUY, within_s=5)

    assert isinstance(outcome, OrderRefused)
    assert (outcome.name, outcome.status) == (name, status)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *[(status, samples.upbit_error("busy")) for status in (408, 409, 418, 500, 502, 503, 504, 302)],
        *[(status, PAGE) for status in (400, 401, 403, 404, 418, 429, 500, 502, 503)],
        *[(status, "") for status in (400, 401, 403, 404, 418, 429, 500, 204, 201)],
        (400, "Bad Request"),
        (400, '{"message":"no"}'),
        (400, samples.upbit_error("duplicate_identifier")),
        (400, samples.upbit_error("validation_error", "Identifier has already been used")),
        (400, samples.upbit_error("create_bid_error", "이미 사용된 식별자입니다")),
        (400, samples.upbit_error("create_bid_error", "중복된 주문입니다")),
        (201, "[]"),
        (201, "{"),
        (201, PAGE),
        (200, samples.ORDER[:100]),
        (201, samples.order(identifier="sig-2")),
        (201, samples.order(identifier=None)),
        (201, samples.order(market="KRW-ETH")),
        (201, samples.order(side="ask")),
        (201, samples.order(ord_type="limit")),
        (201, samples.order(uuid="")),
        (201, samples.order(paid_fee="-1")),
        (201, samples.order(created_at="2026-11-22T10:00:00")),
    ],
)
def test_any_other_answer_leaves_the_order_unknown(peer, exchange, status, body):
    peer.script(Reply(status, body))

    assert isinstance(exchange.place(BUY, within_s=5), Unknown)
    assert len(peer.requests) == 1


def test_unreadable_body_leaves_the_order_unknown(peer, exchange):
    for reply in (
        Reply(201, samples.ORDER, {"Content-Encoding": "gzip"}),
        Reply(201, samples.ORDER, {"Content-Length": "1000000", "Connection": "close"}),
        Reply(201, b" " * (8 * 2**20 + 1)),
    ):
        peer.script(reply)
        assert isinstance(exchange.place(BUY, within_s=LONG_TIMEOUT_S), Unknown)


def test_lost_answer_leaves_the_order_unknown(peer):
    peer.script(Handler.hang_up)

    assert place(peer.url) == Unknown("POST /v1/orders: the connection broke")
    assert len(peer.requests) == 1


def test_timeout_leaves_the_order_unknown(peer):
    peer.script(Handler.stay_silent)

    # By this clock no time passes before the order is sent, however busy the machine is.
    outcome = place(peer.url, within_s=0.3, clock=FakeClock().clock)

    assert outcome == Unknown("POST /v1/orders: no answer in time")


def test_dripping_answer_leaves_the_order_unknown(peer, fake_clock):
    def let_the_time_pass(handler: Handler) -> None:
        fake_clock.now += 60
        handler.drip(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n")

    peer.script(let_the_time_pass)

    assert place(peer.url, clock=fake_clock.clock) == Unknown("POST /v1/orders: no whole answer within 30 s")


@contextmanager
def serving_once(behave) -> Iterator[str]:
    """A server that calls `behave` with its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the client went away before it connected, or while we talk
                connection, _ = server.accept()
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)  # ends an accept that still waits
        thread.join()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_then_reset(connection: socket.socket) -> None:
    connection.recv(65536)
    reset(connection)


@pytest.mark.parametrize("behave", [read_then_reset, lambda connection: connection.recv(65536)])
def test_connection_closed_without_an_answer_leaves_the_order_unknown(behave):
    with serving_once(behave) as address:
        assert isinstance(place(f"http://{address}"), Unknown)


def test_server_that_hangs_up_after_one_byte_leaves_the_order_unknown():
    # The connection stood, and bytes were given to it: how many arrived is not known here.
    with serving_once(lambda connection: connection.recv(1)) as address:
        assert isinstance(place(f"http://{address}"), Unknown)


def test_tls_failure_after_the_handshake_leaves_the_order_unknown(monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    read = bytearray()

    def garble(connection: socket.socket) -> None:
        tls = context.wrap_socket(connection, server_side=True)
        read.extend(tls.recv(65536))
        raw = socket.socket(fileno=tls.detach())
        raw.sendall(b"\x17\x03\x03\x00\x10" + b"x" * 16)  # not encrypted with the connection's key
        raw.close()

    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
    with serving_once(garble) as address:
        assert isinstance(place(f"https://{address}"), Unknown)
    assert read.startswith(b"POST /v1/orders")


def test_unknown_host_name_is_never_sent(monkeypatch):
    def lookup(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    assert place("http://exchange.invalid") == NeverSent("POST /v1/orders: the name lookup failed")


def test_a_refused_connection_is_never_sent():
    with Peer().running() as gone:
        pass

    assert place(gone.url) == NeverSent("POST /v1/orders: connection refused")


def test_a_network_without_a_route_is_never_sent(monkeypatch):
    found = [(12345, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]  # an address family that does not exist
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert place("http://exchange.invalid") == NeverSent("POST /v1/orders: no connection")


def test_unanswered_connect_is_never_sent(saturated_address):
    host, port = saturated_address

    assert place(f"http://{host}:{port}", connect_timeout_s=0.1) == NeverSent(
        "POST /v1/orders: no connection in time"
    )
    assert isinstance(place(f"http://{host}:{port}", within_s=0.1), NeverSent)


def test_plain_http_server_behind_https_is_never_sent(peer):
    assert place(peer.url.replace("http:", "https:")) == NeverSent("POST /v1/orders: TLS failed")
    assert peer.requests == []


def test_untrusted_certificate_is_never_sent():
    tls_peer = Peer(scheme="https")
    tls_peer.speak_tls()

    with tls_peer.running():
        assert place(tls_peer.url) == NeverSent("POST /v1/orders: TLS failed")
    assert tls_peer.requests == []


@pytest.mark.parametrize("behave", [reset, lambda connection: None], ids=["reset", "closed"])
def test_broken_tls_handshake_is_never_sent(behave):
    def after_hello(connection: socket.socket) -> None:
        connection.recv(65536)
        behave(connection)

    with serving_once(after_hello) as address:
        assert isinstance(place(f"https://{address}"), NeverSent)


def test_endless_tls_handshake_is_never_sent():
    ended = threading.Event()
    with serving_once(lambda connection: ended.wait()) as address:
        assert place(f"https://{address}", within_s=0.15) == NeverSent(
            "POST /v1/orders: no whole answer within 0.15 s"
        )
        ended.set()


def test_zero_time_limit_is_never_sent(peer):
    assert isinstance(place(peer.url, within_s=0), NeverSent)
    assert peer.requests == []


def test_proxies_of_the_environment_are_ignored(peer, exchange, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert isinstance(exchange.place(BUY, within_s=5), Unknown)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "request_",
    [
        OrderRequest("KRW-BTC", "bid", "price", "sig-1"),
        OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal(10000), volume=Decimal(1)),
        OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal("10000.5")),
        OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal(0)),
        OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal("NaN")),
        OrderRequest("KRW-BTC", "bid", "price", "sig-1", price=Decimal("Infinity")),
        OrderRequest("KRW-BTC", "bid", "market", "sig-1", volume=Decimal(1)),
        OrderRequest("KRW-BTC", "ask", "price", "sig-1", price=Decimal(10000)),
        OrderRequest("KRW-BTC", "ask", "market", "sig-1", price=Decimal(10000)),
        OrderRequest("KRW-BTC", "ask", "market", "sig-1", volume=Decimal(-1)),
        OrderRequest("KRW-BTC", "ask", "market", "sig-1", volume=Decimal("0.000000001")),
        OrderRequest("KRW-BTC", "ask", "market", "sig-1", volume=Decimal(f"1.{1:030}")),
        OrderRequest("KRW-BTC", "ask", "limit", "sig-1", volume=Decimal(1)),
        OrderRequest("KRW-BTC", "bid", "best", "sig-1", price=Decimal(10000)),
        OrderRequest("BTC", "ask", "market", "sig-1", volume=Decimal(1)),
        OrderRequest("KRW-BTC", "ask", "market", "sig 1", volume=Decimal(1)),
        OrderRequest("KRW-BTC", "ask", "market", "sig-é", volume=Decimal(1)),
        OrderRequest("KRW-BTC", "ask", "market", "", volume=Decimal(1)),
    ],
)
def test_invalid_order_is_never_sent(peer, exchange, request_):
    assert isinstance(exchange.place(request_, within_s=5), NeverSent)
    assert peer.requests == []


def test_a_limit_order_has_price_and_volume(peer, exchange):
    exchange.place(
        OrderRequest("KRW-BTC", "ask", "limit", "sig-3", price=Decimal(9000), volume=Decimal(1)), within_s=5
    )

    body = json.loads(peer.requests[0].body)
    assert list(body) == ["market", "side", "ord_type", "price", "volume", "identifier"]


@pytest.mark.parametrize("keys", [("", SECRET_KEY), (ACCESS_KEY, ""), ("a key", SECRET_KEY)])
def test_without_usable_keys_nothing_is_sent(peer, keys):
    assert isinstance(UpbitExchange(peer.url, *keys).place(BUY, within_s=5), NeverSent)
    assert peer.requests == []


def test_order_above_the_rate_limit_is_never_sent(peer, exchange, fake_clock):
    for _ in range(8):
        exchange.place(BUY, within_s=0.5)

    assert exchange.place(BUY, within_s=0.5) == NeverSent("our own limit of group order is reached")
    assert len(peer.requests) == 8
    assert fake_clock.slept == []


def test_a_429_refuses_the_order_and_delays_the_next(peer, exchange, fake_clock):
    peer.script(Reply(429, "Too many API requests.", {"Retry-After": "3"}), Reply(201, samples.ORDER))

    assert isinstance(exchange.place(BUY, within_s=1), OrderRefused)
    assert isinstance(exchange.place(BUY, within_s=1), NeverSent)
    assert isinstance(exchange.place(BUY, within_s=5), Accepted)
    assert fake_clock.slept == [3]


def test_a_418_leaves_the_order_unknown_and_bans_the_key_only(peer, exchange, fake_clock):
    peer.script(Reply(418, samples.upbit_error(418)), Reply())

    assert isinstance(exchange.place(BUY, within_s=5), Unknown)
    assert exchange.place(BUY, within_s=5) == NeverSent("Upbit bans our key for 60 s more")
    assert UpbitClient(peer.url, retries=0, clock=fake_clock.clock).markets() == []
    assert [request.method for request in peer.requests] == ["POST", "GET"]


def test_each_order_uses_a_new_connection(peer, make_exchange):
    exchange = make_exchange(retries=3)

    exchange.accounts()
    exchange.place(BUY, within_s=5)
    exchange.accounts()
    exchange.place(SELL, within_s=5)

    ports = [request.connection for request in peer.requests]
    assert ports[0] == ports[2]
    assert len(set(ports)) == 3


def test_client_with_retries_sends_an_order_once(peer, make_exchange):
    peer.script(Reply(503, PAGE))

    assert isinstance(make_exchange(retries=3).place(BUY, within_s=5), Unknown)
    assert len(peer.requests) == 1


def test_secrets_repeated_by_the_answer_are_masked(peer, exchange):
    def echo(handler: Handler) -> None:
        text = f"{ACCESS_KEY} {SECRET_KEY} {handler.headers['Authorization']}"
        handler.reply_with(Reply(400, samples.upbit_error("validation_error", text)))

    peer.script(echo)

    outcome = exchange.place(BUY, within_s=5)

    assert outcome == OrderRefused("validation_error", "*** *** Bearer ***", 400)
    assert SECRET_KEY not in repr(exchange)
    assert ACCESS_KEY not in repr(exchange)
