"""Every way in which an exchange of HTTP can end, and its name."""

import gzip
import socket

import pytest

from tests.clients import samples
from tests.clients.peer import Handler, Peer, Reply
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
def test_a_refusal_carries_the_venues_name_and_words(peer, client, *, status, body, error, name, message):
    peer.script(Reply(status, body))

    with pytest.raises(Rejected) as caught:
        client.tickers(["KRW-BTC"])

    assert type(caught.value) is error
    assert (caught.value.status, caught.value.name, caught.value.message) == (status, name, message)
    assert str(caught.value) == f"GET /v1/ticker: {status}: {message}"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [HTML, "", '{"error":{"name":500,"message":"busy"}}'])
def test_an_answer_of_5xx_is_unavailable_whatever_its_body(peer, client, status, body):
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
    assert len(peer.asked) == 1


def test_an_error_text_shows_an_excerpt_at_most(peer, client):
    peer.script(Reply(400, "x" * 10_000))

    with pytest.raises(Rejected) as caught:
        client.tickers(["KRW-BTC"])

    assert len(str(caught.value)) < 300


def test_gzip_is_understood(peer, client):
    body = gzip.compress(samples.array(samples.TICKER).encode())
    peer.script(Reply(body=body, headers={"Content-Encoding": "gzip"}))

    assert client.tickers(["KRW-BTC"])[0].market == "KRW-BTC"


def test_a_broken_gzip_body_is_an_invalid_response(peer, client):
    peer.script(Reply(body="not gzip", headers={"Content-Encoding": "gzip"}))

    with pytest.raises(InvalidResponse, match="Content-Encoding"):
        client.tickers(["KRW-BTC"])


def test_a_huge_answer_is_cut_off_also_when_it_was_small_on_the_way(peer, client):
    body = gzip.compress(b" " * (http.MAX_BODY_BYTES + 1))
    peer.script(Reply(body=body, headers={"Content-Encoding": "gzip"}))

    with pytest.raises(InvalidResponse, match="larger than"):
        client.tickers(["KRW-BTC"])


@pytest.mark.parametrize("status", [418, 503])
def test_an_error_with_a_body_that_cannot_be_read_is_still_that_error(peer, client, status):
    peer.script(Reply(status, "short", {"Content-Length": "1000", "Connection": "close"}))

    with pytest.raises(Retryable) as caught:
        client.tickers(["KRW-BTC"])

    assert isinstance(caught.value, RateLimited if status == 418 else Unavailable)


def test_a_body_that_ends_early_is_unreachable(peer, client):
    peer.script(Reply(200, "[1,", {"Content-Length": "1000", "Connection": "close"}))

    with pytest.raises(Unreachable, match="the connection broke"):
        client.tickers(["KRW-BTC"])


def test_a_connection_that_is_dropped_is_unreachable(peer, client):
    peer.script(Handler.hang_up)

    with pytest.raises(Unreachable, match="the connection broke"):
        client.tickers(["KRW-BTC"])


def test_nobody_there_is_unreachable():
    with Peer().running() as gone:
        pass

    with pytest.raises(Unreachable, match="connection refused"):
        UpbitClient(gone.url, retries=0).markets()


def test_the_reason_is_not_taken_from_what_the_caller_was_dealing_with(peer, client):
    peer.script(Handler.hang_up)

    def ask_another() -> None:
        try:
            UpbitClient("http://127.0.0.1:1", retries=0).markets()
        except Unreachable:
            client.markets()

    with pytest.raises(Unreachable, match="the connection broke"):
        ask_another()


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch):
    def lookup(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    with pytest.raises(Unreachable, match="the name lookup failed"):
        UpbitClient("http://exchange.invalid", retries=0).markets()


def test_a_peer_that_does_not_speak_tls_is_unreachable(peer):
    url = peer.url.replace("http:", "https:")

    with pytest.raises(Unreachable, match="TLS failed"):
        UpbitClient(url, retries=0).markets()


def test_a_certificate_nobody_knows_is_refused():
    secret = Peer(scheme="https")
    secret.speak_tls()

    with secret.running(), pytest.raises(Unreachable, match="TLS failed"):
        UpbitClient(secret.url, retries=0).markets()
    assert secret.asked == []


def test_the_environment_cannot_send_our_requests_elsewhere(peer, client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    client.tickers(["KRW-BTC"])

    assert "authorization" not in peer.asked[0].headers


def test_cookies_are_not_kept(peer, make_client):
    peer.script(Reply(headers={"Set-Cookie": "a=b; Path=/"}))
    client = make_client(retries=1)

    client.markets()
    client.markets()

    assert "cookie" not in peer.asked[1].headers


def test_a_client_that_retries_keeps_its_connection(peer, make_client):
    client = make_client(retries=1)

    client.markets()
    client.markets()

    assert len({asked.connection for asked in peer.asked}) == 1


def test_a_client_that_does_not_retry_opens_a_connection_for_each_call(peer, client):
    client.markets()
    client.markets()

    assert len({asked.connection for asked in peer.asked}) == 2


def test_no_time_is_no_request(peer, make_client):
    with pytest.raises(Unreachable, match="within 0 s"):
        make_client().markets(within_s=0)

    assert peer.asked == []


def test_every_error_is_of_one_family_and_only_some_may_pass():
    named = [kind for kind in vars(errors).values() if isinstance(kind, type)]

    assert all(issubclass(kind, ClientError) for kind in named)
    assert {kind for kind in named if issubclass(kind, Retryable)} == {
        Retryable,
        Unreachable,
        TimedOut,
        Unavailable,
        RateLimited,
    }
