"""The server itself: connections, bodies, start and stop."""

import http.client
import logging
import socket
import struct
from threading import Event

import pytest
import requests

from tests.clients.peer import wait_until
from tests.sandbox.conftest import NOON
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def server():
    with SandboxServer(clock=NOON.timestamp) as server:
        yield server


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
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
def test_body_of_a_refused_request_is_not_read_as_the_next_request(connection, path):
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
def test_body_of_unknown_length_closes_the_connection(connection, headers, status):
    connection.putrequest("POST", "/v1/market/all")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()

    assert response.status == status
    assert response.getheader("Connection") == "close"
    response.read()
    assert response.isclosed()


def test_head_has_headers_and_no_body(connection):
    response, body = fetch(connection, "HEAD", "/nothing")

    assert response.status == 404
    assert int(response.getheader("Content-Length")) > 0
    assert body == b""


def test_date_header_is_the_sandbox_clocks(connection):
    response, _ = fetch(connection, "GET", "/")

    assert response.getheader("Date") == "Sun, 22 Nov 2026 12:00:30 GMT"


def test_requests_are_recorded(server, connection):
    fetch(connection, "GET", "/v1/ticker?markets=KRW-BTC", headers={"X-Mine": "yes"})
    fetch(connection, "GET", "/v1/ticker")

    assert [answered.status for answered in server.requests] == [200, 400]
    request = server.requests[0].request
    assert (request.method, request.target) == ("GET", "/v1/ticker?markets=KRW-BTC")
    assert request.headers["x-mine"] == "yes"


def test_disconnecting_client_logs_nothing(server, caplog, capsys):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            rude.sendall(b"GET /v1/ticker/all?quote_currencies=BTC HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: not server._http._connections)  # an error would be logged by then

    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_handler_error_is_logged_and_affects_only_its_request(caplog):
    failed = Event()

    class Notify(logging.Handler):
        def emit(self, record):
            failed.set()

    logger = logging.getLogger("tradingsite.sandbox.http.server")
    handler = Notify()
    logger.addHandler(handler)
    clock = iter([NOON.timestamp(), 1e300, NOON.timestamp()])  # a time in which no date exists
    with SandboxServer(clock=lambda: next(clock)) as server:
        requests.get(server.url, timeout=30)
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url + "/v1/ticker?markets=KRW-BTC", timeout=30)
        assert requests.get(server.url, timeout=30).status_code == 200
        assert failed.wait(30)
    logger.removeHandler(handler)

    assert [record.message for record in caplog.records] == ["sandbox.handler_failed"]


def test_stopped_server_closes_open_connections(clock):
    with SandboxServer(clock=clock) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        fetch(connection, "GET", "/")
    open_before = connection.sock is not None

    with pytest.raises(OSError, match=r"."):
        fetch(connection, "GET", "/")
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=30)
    assert open_before
    connection.close()


def test_port_is_reusable_after_a_stop_but_not_shared():
    with SandboxServer() as first:
        requests.get(first.url, timeout=30)
        with pytest.raises(OSError, match="in use"):
            SandboxServer(port=first.port)

    with SandboxServer(port=first.port) as second:
        assert requests.get(second.url, timeout=30).status_code == 200


def test_stop_before_start_prevents_serving():
    server = SandboxServer(options=Options())
    server.stop()
    server.serve()
    server.close()
