"""The signature of a request (docs/upbit-client.md U12)."""

import json
from collections.abc import Sequence
from uuid import UUID

import jwt
import pytest
from requests import Request

from tests.clients.samples import ACCESS_KEY, SECRET_KEY
from tradingsite.clients.upbit.auth import Signature, signed_text, token

URL = "https://exchange.invalid/v1/orders"
BODY = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "10000"}
VECTORS: list[tuple[str, Sequence[tuple[str, str]], dict[str, str] | None, str, str]] = [
    (
        "GET",
        [("market", "KRW-BTC")],
        None,
        "market=KRW-BTC",
        "b749dfc2e17f75e5b46c8161f97fe7c9298ed4167ea21c5c94d16573efd8a801"
        "351470c0ff1a9a3f1e763f8249968218c04c571c8b45aa80cd4588e6c4be0738",
    ),
    (
        "DELETE",
        [("uuids[]", "a-1"), ("uuids[]", "b-2"), ("order_by", "asc")],
        None,
        "uuids[]=a-1&uuids[]=b-2&order_by=asc",
        "69cbc3e9759375428ca45ed52f25f989770ab9555a14caa995688bf76a532c1e"
        "67d13eaf0a8d5e0a7862bcf4d73e697ab190cf91e198b183e0e0000b413c17a5",
    ),
    (
        "POST",
        [],
        BODY,
        "market=KRW-BTC&side=bid&ord_type=price&price=10000",
        "4a69e8b814f9f38bc6e52c078303abac445d8166673e5ab18e487d8a9aa597fe"
        "3745f9c7c919cb4f401759fb86dd563bacc4f4ed2d87619a13a422ce29c7a2a1",
    ),
    (
        "GET",
        [("start_time", "2025-06-24T13:56:53+09:00"), ("states[]", "done"), ("states[]", "cancel")],
        None,
        "start_time=2025-06-24T13:56:53+09:00&states[]=done&states[]=cancel",
        "d3dab45bc18cfeb40cfbd7f94f2c1dae04ccbc0466051e4b84396e02a8e51712"
        "d1d99268c1e219a1a6808ea16cfd262c1d52088a1beabbe330965a628f1b629f",
    ),
]


def claims(signed: str, secret_key: str = SECRET_KEY) -> dict[str, str]:
    algorithm = jwt.get_unverified_header(signed)["alg"]
    return jwt.decode(signed, secret_key.encode(), algorithms=[algorithm])


@pytest.mark.parametrize(("method", "params", "body", "text", "digest"), VECTORS)
def test_query_hash_covers_the_unencoded_parameters_in_the_order_sent(*, method, params, body, text, digest):
    data = json.dumps(body).encode() if body else None
    request = Request(method, URL, params=params, data=data, auth=Signature(ACCESS_KEY, SECRET_KEY)).prepare()

    scheme, _, signed = request.headers["Authorization"].partition(" ")

    assert signed_text(request) == text
    assert scheme == "Bearer"
    assert claims(signed)["query_hash"] == digest
    assert claims(signed)["query_hash_alg"] == "SHA512"
    assert claims(signed)["access_key"] == ACCESS_KEY


def test_token_without_parameters_has_no_query_hash():
    assert set(claims(token(ACCESS_KEY, SECRET_KEY, ""))) == {"access_key", "nonce"}


def test_every_token_has_a_unique_uuid4_nonce():
    nonces = {claims(token(ACCESS_KEY, SECRET_KEY, ""))["nonce"] for _ in range(100)}

    assert len(nonces) == 100
    assert {UUID(nonce).version for nonce in nonces} == {4}


@pytest.mark.parametrize(("length", "algorithm"), [(32, "HS256"), (63, "HS256"), (64, "HS512")])
def test_secret_of_64_bytes_or_more_signs_with_hs512(length, algorithm):
    signed = token(ACCESS_KEY, "k" * length, "")

    assert jwt.get_unverified_header(signed) == {"alg": algorithm, "typ": "JWT"}
    assert claims(signed, "k" * length)["access_key"] == ACCESS_KEY


def test_signature_repr_hides_both_keys():
    shown = repr(Signature(ACCESS_KEY, SECRET_KEY))

    assert ACCESS_KEY not in shown
    assert SECRET_KEY not in shown
