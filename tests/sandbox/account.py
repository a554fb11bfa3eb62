"""A client of the sandbox's exchange, written independently of ours with requests and PyJWT."""

import hashlib
import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import jwt
import requests

ACCESS_KEY = "sandbox-access-key"
SECRET_KEY = "sandbox-secret-key-sandbox-secret-key-sandbox-secret-key-sandbox!"


def sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()


def as_query(body: dict[str, Any]) -> str:
    """Return the pairs of a body in its order, as they are hashed."""
    pairs = []
    for name, value in body.items():
        many, values = ("[]", value) if isinstance(value, list) else ("", [value])
        pairs += [f"{name}{many}={one if isinstance(one, str) else json.dumps(one)}" for one in values]
    return "&".join(pairs)


class Signature(requests.auth.AuthBase):
    """Signs each request afresh. `claims` replaces claims, None leaves one out."""

    def __init__(self, *, secret: str = SECRET_KEY, algorithm: str = "HS256", **claims: Any) -> None:
        self.secret, self.algorithm, self.claims = secret, algorithm, claims

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        text = unquote(urlsplit(request.url or "").query)
        if request.body:
            text = as_query(json.loads(request.body))
        claims: dict[str, Any] = {"access_key": ACCESS_KEY, "nonce": str(uuid4())}
        if text:
            claims |= {"query_hash": sha512(text), "query_hash_alg": "SHA512"}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        token = jwt.encode(claims, self.secret, self.algorithm)
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class Account:
    """What a trader does with the account, over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.auth = Signature()

    def get(self, path: str, params: Any = None, **options: Any) -> requests.Response:
        return self.http.get(self.url + path, params=params, timeout=30, **options)

    def post(self, body: dict[str, Any], path: str = "/v1/orders", **options: Any) -> requests.Response:
        return self.http.post(self.url + path, json=body, timeout=30, **options)

    def delete(self, **params: str) -> requests.Response:
        return self.http.delete(f"{self.url}/v1/order", params=params, timeout=30)

    def order(self, **params: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/v1/order", params).json()
        return found

    def buy(self, total: str = "10000", **more: str) -> requests.Response:
        return self.post({"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": total, **more})

    def sell(self, volume: str, **more: str) -> requests.Response:
        return self.post({"market": "KRW-BTC", "side": "ask", "ord_type": "market", "volume": volume, **more})

    def limit(self, side: str, price: Any, volume: str, **more: str) -> requests.Response:
        body = {"market": "KRW-BTC", "side": side, "ord_type": "limit", "price": str(price), "volume": volume}
        return self.post({**body, **more})

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return balance and locked by currency."""
        accounts = self.get("/v1/accounts").json()
        return {one["currency"]: (Decimal(one["balance"]), Decimal(one["locked"])) for one in accounts}

    def best(self) -> tuple[Decimal, Decimal]:
        """Return the best bid's and the best ask's price of KRW-BTC."""
        response = requests.get(f"{self.url}/v1/orderbook", params={"markets": "KRW-BTC"}, timeout=30)
        [book] = response.json(parse_float=Decimal, parse_int=Decimal)
        best = book["orderbook_units"][0]
        return best["bid_price"], best["ask_price"]


def error(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["name"]
