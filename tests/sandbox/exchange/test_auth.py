"""Authorization: who is let in, and the order of the checks (E1-E4)."""

from dataclasses import replace
from datetime import timedelta
from urllib.request import Request as UrlRequest
from urllib.request import urlopen
from uuid import uuid4

import jwt
import pytest
import requests

from tests.sandbox.account import ACCESS_KEY, SECRET_KEY, Account, Signature, error, sha512
from tests.sandbox.conftest import NOON
from tests.sandbox.limits import GENEROUS
from tradingsite.env import SANDBOX_KEYS
from tradingsite.sandbox.options import MAKE_ORDERS, VIEW_ORDERS, ApiKey, Options
from tradingsite.sandbox.server import SandboxServer

BY_MARKET = "market=KRW-BTC"
BY_UUIDS = "uuids[]=a-1&uuids[]=b-2&order_by=asc"
A_BUY = "market=KRW-BTC&side=bid&ord_type=price&price=10000"
A_WINDOW = "start_time=2025-06-24T13:56:53+09:00&states[]=done&states[]=cancel"
VECTORS = {
    BY_MARKET: "b749dfc2e17f75e5b46c8161f97fe7c9298ed4167ea21c5c94d16573efd8a801"
    "351470c0ff1a9a3f1e763f8249968218c04c571c8b45aa80cd4588e6c4be0738",
    BY_UUIDS: "69cbc3e9759375428ca45ed52f25f989770ab9555a14caa995688bf76a532c1e"
    "67d13eaf0a8d5e0a7862bcf4d73e697ab190cf91e198b183e0e0000b413c17a5",
    A_BUY: "4a69e8b814f9f38bc6e52c078303abac445d8166673e5ab18e487d8a9aa597fe"
    "3745f9c7c919cb4f401759fb86dd563bacc4f4ed2d87619a13a422ce29c7a2a1",
    A_WINDOW: "d3dab45bc18cfeb40cfbd7f94f2c1dae04ccbc0466051e4b84396e02a8e51712"
    "d1d99268c1e219a1a6808ea16cfd262c1d52088a1beabbe330965a628f1b629f",
}


@pytest.fixture(scope="module")
def server():
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield server


@pytest.fixture
def account(server):
    return Account(server.url)


@pytest.fixture
def with_key(clock):
    """Accounts on servers whose key has something special."""
    servers = []

    def make(**special):
        options = Options(limits=GENEROUS, api_key=replace(ApiKey(), **special))
        server = SandboxServer(clock=clock, options=options)
        servers.append(server.__enter__())
        return Account(server.url)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def hashed(text):
    return Signature(query_hash=VECTORS[text], query_hash_alg="SHA512")


def test_default_keys_are_the_projects_sandbox_keys():
    assert SANDBOX_KEYS["upbit_access_key"] == ApiKey().access_key == ACCESS_KEY
    assert SANDBOX_KEYS["upbit_secret_key"] == ApiKey().secret_key == SECRET_KEY
    assert SECRET_KEY not in repr(ApiKey())


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_signed_request_is_accepted(account, algorithm):
    account.http.auth = Signature(algorithm=algorithm)

    assert account.get("/v1/accounts").status_code == 200
    assert account.get("/v1/orders/chance", {"market": "KRW-BTC"}).status_code == 200
    assert error(account.post({"market": "KRW-BTC"}, "/v1/orders/test")) == (400, "validation_error")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic c2VjcmV0"])
def test_missing_token_is_refused(server, header):
    headers = {} if header is None else {"Authorization": header}
    response = requests.get(f"{server.url}/v1/accounts", headers=headers, timeout=30)

    assert error(response) == (401, "no_authorization_token")


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        jwt.encode({"access_key": ACCESS_KEY, "nonce": "1"}, "", algorithm="none"),
        jwt.api_jws.encode(b"[]", SECRET_KEY, "HS256"),
        jwt.api_jws.encode(b"no json", SECRET_KEY, "HS256"),
        jwt.encode({"access_key": ACCESS_KEY}, SECRET_KEY, "HS256"),
        jwt.encode({"access_key": ACCESS_KEY, "nonce": 7}, SECRET_KEY, "HS256"),
    ],
    ids=["no token", "unsigned", "a list", "no JSON", "no nonce", "a number as nonce"],
)
def test_malformed_token_is_refused(server, token):
    headers = {"Authorization": f"Bearer {token}"}
    response = requests.get(f"{server.url}/v1/accounts", headers=headers, timeout=30)

    assert error(response) == (401, "jwt_verification")


def test_authorization_checks_run_in_order(with_key, clock):
    account = with_key(expires_at=NOON + timedelta(hours=1), permissions=frozenset(), allowed_ips=frozenset())
    wrong_secret = "x" * 64
    nonce = str(uuid4())

    def refusal(**signature):
        return error(account.get("/v1/accounts", {"a": "b"}, auth=Signature(**signature)))

    clock.now_s += 3600
    assert refusal(access_key="other", secret=wrong_secret) == (401, "invalid_access_key")
    assert refusal(secret=wrong_secret, nonce=nonce) == (401, "jwt_verification")
    assert refusal(nonce=nonce, query_hash="wrong") == (401, "expired_access_key")
    clock.now_s -= 1
    assert refusal(nonce=nonce, query_hash="wrong") == (401, "invalid_query_payload")
    assert refusal(nonce=nonce, query_hash="wrong") == (401, "nonce_used")
    assert refusal() == (403, "out_of_scope")


def test_missing_permission_or_unlisted_ip_is_refused(with_key):
    reader = with_key(permissions=frozenset({VIEW_ORDERS}))
    assert error(reader.get("/v1/accounts")) == (403, "out_of_scope")
    assert error(reader.buy()) == (403, "out_of_scope")
    assert error(reader.delete(uuid="x")) == (403, "out_of_scope")
    assert error(reader.get("/v1/order", {"uuid": "x"})) == (404, "order_not_found")
    assert reader.get("/v1/api_keys").status_code == 200

    elsewhere = with_key(permissions=frozenset({MAKE_ORDERS}), allowed_ips=frozenset({"10.0.0.1"}))
    assert error(elsewhere.buy()) == (401, "no_authorization_ip")
    assert with_key(allowed_ips=frozenset({"127.0.0.1"})).buy().status_code == 201


def test_replayed_token_is_refused(account, server):
    first = account.get("/v1/accounts")
    headers = {"Authorization": first.request.headers["Authorization"]}

    again = requests.get(f"{server.url}/v1/accounts", headers=headers, timeout=30)
    assert first.status_code == 200
    assert error(again) == (401, "nonce_used")


def test_expiry_claims_are_ignored(account):
    assert account.get("/v1/accounts", auth=Signature(exp=1, nbf=2**40, iat=2**40)).status_code == 200


@pytest.mark.parametrize("text", VECTORS)
def test_hashes_match_the_published_vectors(text):
    assert sha512(text) == VECTORS[text]


def test_query_hash_covers_the_unquoted_query_in_the_order_sent(account):
    names = [("uuids[]", "a-1"), ("uuids[]", "b-2"), ("order_by", "asc")]
    window = [("start_time", "2025-06-24T13:56:53+09:00"), ("states[]", "done"), ("states[]", "cancel")]

    market = account.get("/v1/orders/chance", {"market": "KRW-BTC"}, auth=hashed(BY_MARKET))
    listed = account.get("/v1/orders/uuids", names, auth=hashed(BY_UUIDS))
    closed = account.get("/v1/orders/closed", window, auth=hashed(A_WINDOW))

    assert "uuids%5B%5D=a-1" in listed.request.url
    assert [answer.status_code for answer in (market, listed, closed)] == [200] * 3


def test_brackets_in_a_query_may_be_unquoted(server):
    text = BY_UUIDS
    claims = {"access_key": ACCESS_KEY, "nonce": str(uuid4())}
    token = jwt.encode(
        claims | {"query_hash": VECTORS[text], "query_hash_alg": "SHA512"}, SECRET_KEY, "HS512"
    )
    request = UrlRequest(f"{server.url}/v1/orders/uuids?{text}", headers={"Authorization": f"Bearer {token}"})

    with urlopen(request, timeout=30) as answer:
        assert answer.read() == b"[]"
    assert server.requests[-1].request.query == text


def test_body_hash_covers_the_pairs_in_their_order(account):
    body = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "10000"}
    signature = hashed(A_BUY)

    assert account.post(body, auth=signature).status_code == 201
    reordered = dict(reversed(body.items()))
    assert error(account.post(reordered, auth=signature)) == (401, "invalid_query_payload")


def test_body_hash_writes_null_numbers_and_lists_as_documented(account):
    body = {"market": "KRW-BTC", "price": 1.50, "volume": None, "flag": True, "names": ["a", 2]}
    text = "market=KRW-BTC&price=1.5&flag=true&names[]=a&names[]=2"
    signature = Signature(query_hash=sha512(text), query_hash_alg="SHA512")

    assert error(account.post(body, auth=signature)) == (400, "validation_error")


@pytest.mark.parametrize(
    "claims",
    [
        {"query_hash": None, "query_hash_alg": None},
        {"query_hash_alg": None},
        {"query_hash_alg": "SHA256"},
        {"query_hash": "wrong"},
        {"query_hash": 7},
        {"query_hash": sha512("market=KRW-ETH")},
    ],
)
def test_wrong_or_missing_query_hash_is_refused(account, claims):
    answer = account.get("/v1/orders/chance", {"market": "KRW-BTC"}, auth=Signature(**claims))

    assert error(answer) == (401, "invalid_query_payload")


def test_query_hash_without_parameters_is_refused(account):
    assert error(account.get("/v1/accounts", auth=hashed(BY_MARKET))) == (401, "invalid_query_payload")


@pytest.mark.parametrize("body", [b"market=KRW-BTC&side=bid", b"[1]", b'"text"'])
def test_body_that_is_not_a_json_object_is_refused(server, body):
    text = body.decode()
    claims = {"access_key": ACCESS_KEY, "nonce": str(uuid4())}
    hashes = {"query_hash": sha512(text), "query_hash_alg": "SHA512"}
    headers = {"Authorization": "Bearer " + jwt.encode(claims | hashes, SECRET_KEY, "HS256")}
    answer = requests.post(f"{server.url}/v1/orders", data=body, headers=headers, timeout=30)

    assert error(answer) == (400, "validation_error")
    assert server.exchange.posts[-1].identifier is None


def test_empty_body_needs_no_hash_but_lacks_a_market(account):
    answer = account.http.post(f"{account.url}/v1/orders", timeout=30)

    assert error(answer) == (400, "validation_error")


def test_unquoted_colon_in_the_query_is_refused(account):
    signature = Signature(query_hash=sha512("start_time=2026-11-22T00:00:00Z"), query_hash_alg="SHA512")

    answer = account.http.get(
        f"{account.url}/v1/orders/closed?start_time=2026-11-22T00:00:00Z", auth=signature, timeout=30
    )
    assert "start_time=2026-11-22T00:00:00Z" in answer.request.url
    assert error(answer) == (400, "validation_error")
