"""The server itself: connections, bodies, start and stop."""

import http.client
import logging
import socket
import struct
import time
from threading import Event

import pytest
import requests

from tests.sandbox.conftest import NOON
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def server():
    with SandboxServer(clock=NOON.timestamp) as server:
        yield server


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield connection
    connection.close()


def fetch(connection, method, path, **given):
    connection.request(method, path, **given)
    response = connection.getresponse()
    return response, response.read()


def test_one_connection_serves_many_requests(connection):
    fetch(connection, "GET", "/v1/market/all")
    first = connection.sock
    response, _ = fetch(connection, "GET", "/v1/ticker?markets=KRW-BTC")

    assert response.status == 200
    assert connection.sock is first
    assert response.version == 11


@pytest.mark.parametrize("path", ["/v1/market/all", "/v1/nothing", "/v1beta/models"])
def test_a_body_is_not_taken_for_the_next_request(connection, path):
    refused, _ = fetch(connection, "POST", path, body=b"GET /v1/market/all HTTP/1.1\r\n\r\n")
    response, body = fetch(connection, "GET", "/")

    assert refused.status == 404
    assert b"sandbox" in body
    assert response.status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": "many"}, 400),
        ({"Content-Length": "9999999"}, 413),
    ],
)
def test_a_body_of_unknown_length_ends_the_connection(connection, headers, status):
    connection.putrequest("POST", "/v1/market/all")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()

    assert response.status == status
    assert response.getheader("Connection") == "close"
    response.read()
    assert response.isclosed()


def test_head_has_the_headers_of_get_without_the_body(connection):
    response, body = fetch(connection, "HEAD", "/nothing")

    assert response.status == 404
    assert int(response.getheader("Content-Length")) > 0
    assert body == b""


def test_the_date_is_the_clocks(connection):
    response, _ = fetch(connection, "GET", "/")

    assert response.getheader("Date") == "Sun, 22 Nov 2026 12:00:30 GMT"


def test_the_last_requests_are_kept(server, connection):
    fetch(connection, "GET", "/v1/ticker?markets=KRW-BTC", headers={"X-Mine": "yes"})
    fetch(connection, "GET", "/v1/ticker")

    assert [answered.status for answered in server.requests] == [200, 400]
    request = server.requests[0].request
    assert (request.method, request.target) == ("GET", "/v1/ticker?markets=KRW-BTC")
    assert request.headers["x-mine"] == "yes"


def until_all_hung_up(server):
    """Wait until the server is through with every client, its errors included."""
    deadline = time.monotonic() + 10
    while server._http._connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_goes_away_is_no_news(server, caplog, capsys):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            rude.sendall(b"GET /v1/ticker/all?quote_currencies=BTC HTTP/1.1\r\nHost: x\r\n\r\n")
    until_all_hung_up(server)

    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_an_error_of_our_own_is_logged_and_hurts_nobody_else(caplog):
    failed = Event()

    class Told(logging.Handler):
        def emit(self, record):
            failed.set()

    logger = logging.getLogger("tradingsite.sandbox.http.server")
    handler = Told()
    logger.addHandler(handler)
    clock = iter([NOON.timestamp(), 1e300, NOON.timestamp()])  # a time in which no date exists
    with SandboxServer(clock=lambda: next(clock)) as server:
        requests.get(server.url, timeout=10)
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url + "/v1/ticker?markets=KRW-BTC", timeout=10)
        assert requests.get(server.url, timeout=10).status_code == 200
        assert failed.wait(10)
    logger.removeHandler(handler)

    assert [record.message for record in caplog.records] == ["sandbox.handler_failed"]


def test_a_stopped_sandbox_answers_nobody_not_even_on_an_open_connection(clock):
    with SandboxServer(clock=clock) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        fetch(connection, "GET", "/")
    open_before = connection.sock is not None

    with pytest.raises(OSError, match=r"."):
        fetch(connection, "GET", "/")
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=10)
    assert open_before
    connection.close()


def test_a_port_can_be_used_again_at_once_but_not_twice():
    with SandboxServer() as first:
        requests.get(first.url, timeout=10)
        with pytest.raises(OSError, match="in use"):
            SandboxServer(port=first.port)

    with SandboxServer(port=first.port) as second:
        assert requests.get(second.url, timeout=10).status_code == 200


def test_a_stop_before_the_start_holds():
    server = SandboxServer(options=Options())
    server.stop()
    server.serve()
    server.close()
