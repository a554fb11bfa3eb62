"""Every way in which an HTTP exchange can end, and the error that it raises."""

import gzip
import socket

import pytest

from tests.clients import samples
from tests.clients.peer import LONG_TIMEOUT_S, Handler, Peer, Reply
from tradingsite.clients import errors, http
from tradingsite.clients.errors import (
    ClientError,
    InvalidResponse,
    NotFound,
    RateLimited,
    Rejected,
    Retryable,
    TimedOut,
    Unavailable,
    Unreachable,
)
from tradingsite.clients.upbit.client import UpbitClient

HTML = "<!doctype html><html>0.3s</html>"


def patient(url: str) -> UpbitClient:
    """Return a client for TLS handshakes on a busy machine."""
    return UpbitClient(url, connect_timeout_s=LONG_TIMEOUT_S, wall_clock_s=LONG_TIMEOUT_S, retries=0)


@pytest.mark.parametrize(
    ("status", "body", "error", "name", "message"),
    [
        (
            400,
            '{"error":{"name":400,"message":"Missing request parameter error."}}',
            Rejected,
            "400",
            "Missing request parameter error.",
        ),
        (
            400,
            '{"error":{"name":"validation_error","message":"잘못된 값"}}',
            Rejected,
            "validation_error",
            "잘못된 값",
        ),
        (404, '{"error":{"name":404,"message":"Code not found"}}', NotFound, "404", "Code not found"),
        (401, '{"error":{"name":"jwt_verification","message":"no"}}', Rejected, "jwt_verification", "no"),
        (403, HTML, Rejected, None, "an HTML page"),
        (400, "", Rejected, None, "an empty body"),
        (400, "plain\nwords", Rejected, None, "plain words"),
        (
            400,
            '{"error":{"name":"a\\nb","message":"one\\u0000\\u001b[31mtwo"}}',
            Rejected,
            "a b",
            "one  [31mtwo",
        ),
        (400, '{"error":"flat"}', Rejected, None, '{"error":"flat"}'),
        (400, "[1]", Rejected, None, "[1]"),
    ],
)
def test_refusal_carries_upbits_error_name_and_message(peer, client, *, status, body, error, name, message):
    peer.script(Reply(status, body))

    with pytest.raises(Rejected) as caught:
        client.tickers(["KRW-BTC"])

    assert type(caught.value) is error
    assert (caught.value.status, caught.value.name, caught.value.message) == (status, name, message)
    assert str(caught.value) == f"GET /v1/ticker: {status}: {message}"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [HTML, "", '{"error":{"name":500,"message":"busy"}}'])
def test_any_5xx_is_unavailable(peer, client, status, body):
    peer.script(Reply(status, body))

    with pytest.raises(Unavailable, match=f"GET /v1/ticker: {status}: ") as caught:
        client.tickers(["KRW-BTC"])

    assert caught.value.status == status


def test_a_plain_text_429_is_rate_limited(peer, client):
    peer.script(Reply(429, "Too many API requests."))

    with pytest.raises(RateLimited, match="Too many API requests") as caught:
        client.tickers(["KRW-BTC"])

    assert not caught.value.banned
    assert caught.value.retry_after_s == 1


def test_a_redirect_is_not_followed(peer, client):
    peer.script(Reply(302, "", {"Location": f"{peer.url}/elsewhere"}))

    with pytest.raises(InvalidResponse, match="302"):
        client.tickers(["KRW-BTC"])
    assert len(peer.requests) == 1


def test_error_text_is_cut_to_an_excerpt(peer, client):
    peer.script(Reply(400, "x" * 10_000))

    with pytest.raises(Rejected) as caught:
        client.tickers(["KRW-BTC"])

    assert len(str(caught.value)) < 300


def test_gzip_answer_is_decoded(peer, client):
    body = gzip.compress(samples.array(samples.TICKER).encode())
    peer.script(Reply(body=body, headers={"Content-Encoding": "gzip"}))

    assert client.tickers(["KRW-BTC"])[0].market == "KRW-BTC"


def test_a_broken_gzip_body_is_an_invalid_response(peer, client):
    peer.script(Reply(body="not gzip", headers={"Content-Encoding": "gzip"}))

    with pytest.raises(InvalidResponse, match="Content-Encoding"):
        client.tickers(["KRW-BTC"])


def test_oversized_answer_is_rejected_after_decompression(peer, client):
    body = gzip.compress(b" " * (http.MAX_BODY_BYTES + 1))
    peer.script(Reply(body=body, headers={"Content-Encoding": "gzip"}))

    with pytest.raises(InvalidResponse, match="larger than"):
        client.tickers(["KRW-BTC"])


@pytest.mark.parametrize("status", [418, 503])
def test_error_status_with_an_unreadable_body_keeps_its_error(peer, client, status):
    peer.script(Reply(status, "short", {"Content-Length": "1000", "Connection": "close"}))

    with pytest.raises(Retryable) as caught:
        client.tickers(["KRW-BTC"])

    assert isinstance(caught.value, RateLimited if status == 418 else Unavailable)


def test_truncated_body_is_unreachable(peer, client):
    peer.script(Reply(200, "[1,", {"Content-Length": "1000", "Connection": "close"}))

    with pytest.raises(Unreachable, match="the connection broke"):
        client.tickers(["KRW-BTC"])


def test_dropped_connection_is_unreachable(peer, client):
    peer.script(Handler.hang_up)

    with pytest.raises(Unreachable, match="the connection broke"):
        client.tickers(["KRW-BTC"])


def test_refused_connection_is_unreachable():
    with Peer().running() as gone:
        pass

    with pytest.raises(Unreachable, match="connection refused"):
        UpbitClient(gone.url, retries=0).markets()


def test_error_reason_ignores_an_exception_being_handled_by_the_caller(peer, client):
    peer.script(Handler.hang_up)

    def call_while_handling_an_error() -> None:
        try:
            UpbitClient("http://127.0.0.1:1", retries=0).markets()
        except Unreachable:
            client.markets()

    with pytest.raises(Unreachable, match="the connection broke"):
        call_while_handling_an_error()


def test_unknown_host_name_is_unreachable(monkeypatch):
    def lookup(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    with pytest.raises(Unreachable, match="the name lookup failed"):
        UpbitClient("http://exchange.invalid", retries=0).markets()


def test_plain_http_server_behind_https_is_unreachable(peer):
    url = peer.url.replace("http:", "https:")

    with pytest.raises(Unreachable, match="TLS failed"):
        patient(url).markets()


def test_untrusted_certificate_is_refused():
    tls_peer = Peer(scheme="https")
    tls_peer.speak_tls()

    with tls_peer.running(), pytest.raises(Unreachable, match="TLS failed"):
        patient(tls_peer.url).markets()
    assert tls_peer.requests == []


def test_proxies_and_netrc_of_the_environment_are_ignored(peer, client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password something")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    client.tickers(["KRW-BTC"])

    assert "authorization" not in peer.requests[0].headers


def test_cookies_are_not_kept(peer, make_client):
    peer.script(Reply(headers={"Set-Cookie": "a=b; Path=/"}))
    client = make_client(retries=1)

    client.markets()
    client.markets()

    assert "cookie" not in peer.requests[1].headers


def test_client_with_retries_keeps_its_connection(peer, make_client):
    client = make_client(retries=1)

    client.markets()
    client.markets()

    assert len({request.connection for request in peer.requests}) == 1


def test_client_without_retries_opens_a_connection_for_each_call(peer, client):
    client.markets()
    client.markets()

    assert len({request.connection for request in peer.requests}) == 2


def test_zero_time_limit_sends_no_request(peer, make_client):
    with pytest.raises(Unreachable, match="within 0 s"):
        make_client().markets(within_s=0)

    assert peer.requests == []


def test_every_error_is_a_client_error_and_only_transient_ones_are_retryable():
    named = [kind for kind in vars(errors).values() if isinstance(kind, type)]

    assert all(issubclass(kind, ClientError) for kind in named)
    assert {kind for kind in named if issubclass(kind, Retryable)} == {
        Retryable,
        Unreachable,
        TimedOut,
        Unavailable,
        RateLimited,
    }
