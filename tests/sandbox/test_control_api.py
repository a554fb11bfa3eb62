"""The control endpoint of a running sandbox."""

from decimal import Decimal

import pytest
import requests

from tests.sandbox.account import Account
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.control_client import NoSandbox, RequestRefused, ask
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def server(clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        yield server


def test_faults_are_added_listed_and_cleared(server):
    added = ask(server.port, "POST", "/sandbox/faults", {"kind": "503", "nth": 2, "path": "/v1/ticker*"})
    requests.get(f"{server.url}/v1/ticker", timeout=30)
    [listed] = ask(server.port, "GET", "/sandbox/faults")["faults"]
    cleared = ask(server.port, "DELETE", "/sandbox/faults")

    assert added["faults"][0]["seen"] == 0
    assert listed == {
        "kind": "503", "path": "/v1/ticker*", "method": "*", "nth": 2, "times": 1, "every": 1, "seconds": 0,
        "after": False, "market": "", "seen": 1, "struck": 0,
    }  # fmt: skip
    assert cleared == {"faults": []}
    assert server.faults.armed() == []


def test_decision_is_preset(server):
    answer = ask(server.port, "POST", "/sandbox/answer", {"decision": "BUY", "confidence": 0.75, "times": 2})

    assert [opinion["decision"] for opinion in answer["queued"]] == ["BUY", "BUY"]
    assert [opinion.confidence for opinion in server.model.queued] == [Decimal("0.75")] * 2


def test_request_log_has_targets_and_no_key(server):
    server.faults.add(Fault("drop_before", path="/v1/ticker"))
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/v1/ticker?markets=KRW-BTC", timeout=30)
    account = Account(server.url)
    account.get("/v1/accounts")
    logged = ask(server.port, "GET", "/sandbox/requests")["requests"]
    account.http.close()

    assert [(line["method"], line["target"], line["status"], line["fault"]) for line in logged] == [
        ("GET", "/v1/ticker?markets=KRW-BTC", None, "drop_before"),
        ("GET", "/v1/accounts", 200, ""),
    ]
    assert "Bearer" not in str(logged)


def test_exchange_state_is_exact(server, clock):
    account = Account(server.url)
    account.buy("10001", identifier="one")
    clock.now_s += 5
    shown = ask(server.port, "GET", "/sandbox/exchange")
    [order] = server.exchange.orders()
    account.http.close()

    balances = {balance["currency"]: Decimal(balance["balance"]) for balance in shown["balances"]}
    assert balances == {currency: purse.balance for currency, purse in server.exchange.balances().items()}
    assert [(each["identifier"], each["state"]) for each in shown["orders"]] == [("one", order.state)]
    assert Decimal(shown["orders"][0]["executed_funds"]) == order.executed_funds
    assert len(shown["orders"][0]["trades"]) == len(order.trades)
    assert [(post["identifier"], post["status"]) for post in shown["posts"]] == [("one", 201)]
    assert shown["offline"] == []


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/sandbox/faults", {"kind": "nope"}, "kind is 'nope'"),
        ("/sandbox/faults", {"kind": "503", "nth": "2"}, "nth is '2': it must be int"),
        ("/sandbox/faults", {"kind": "503", "after": 1}, "after is 1: it must be bool"),
        ("/sandbox/faults", {"kind": "503", "status": 500}, "status is not known: only kind, path"),
        ("/sandbox/faults", [], "the body is not a JSON object"),
        ("/sandbox/faults", None, "Expecting value"),
        ("/sandbox/faults", {}, "kind is missing"),
        ("/sandbox/answer", {"times": 2}, "decision is missing"),
        ("/sandbox/answer", {"decision": "WAIT"}, "decision is 'WAIT'"),
        ("/sandbox/answer", {"decision": "BUY", "confidence": 72}, "confidence is 72"),
        ("/sandbox/answer", {"decision": "BUY", "confidence": "high"}, "confidence is 'high'"),
        ("/sandbox/answer", {"decision": "BUY", "confidence": "NaN"}, "confidence is NaN"),
    ],
)
def test_invalid_request_is_refused_and_changes_nothing(server, path, body, message):
    with pytest.raises(RequestRefused, match=message):
        ask(server.port, "POST", path, body)

    assert server.faults.armed() == []
    assert not server.model.queued


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://127.0.0.1"}, {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:80"}],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_requests_from_browsers_are_refused(server, headers, method):
    server.faults.add(Fault("503"))
    response = requests.request(
        method, f"{server.url}/sandbox/faults", headers=headers, json={"kind": "500"}, timeout=30
    )

    assert response.status_code == 403
    assert "browsers" in response.json()["error"]
    assert [fault["kind"] for fault in server.faults.armed()] == ["503"]


def test_localhost_is_accepted_with_and_without_a_port(server):
    for host in ("localhost", f"localhost:{server.port}", "127.0.0.1"):
        response = requests.get(f"{server.url}/sandbox/faults", headers={"Host": host}, timeout=30)
        assert response.status_code == 200


def test_error_names_a_server_that_is_no_sandbox(server):
    with pytest.raises(NoSandbox, match=f"the program on port {server.port} is not a sandbox"):
        ask(server.port, "GET", "/sandbox/nothing")


def test_no_answer_means_no_sandbox(server):
    port = server.port
    server.stop()
    server._thread.join()
    server.close()

    with pytest.raises(NoSandbox, match=f"no sandbox answers on port {port}"):
        ask(port, "GET", "/sandbox/faults")
