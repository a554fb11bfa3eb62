"""Signs requests to Upbit's exchange API with a JSON web token (docs/upbit-client.md U12)."""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import jwt
from requests import PreparedRequest
from requests.auth import AuthBase

_SHORTEST_HS512_KEY_BYTES = 64


def token(access_key: str, secret_key: str, parameters: str) -> str:
    """Return a JWT for one request; it contains a nonce that Upbit accepts only once.

    HS512 is only as strong as its key is long, and PyJWT warns below 64 bytes. Upbit's keys are shorter, so
    they sign with HS256, as in Upbit's own library. Upbit accepts both.

    Args:
        access_key: named in the token.
        secret_key: used as it is, not decoded as Base64.
        parameters: the request's parameters as `signed_text` writes them; empty if there are none.
    """
    claims = {"access_key": access_key, "nonce": str(uuid.uuid4())}
    if parameters:
        claims |= {"query_hash": hashlib.sha512(parameters.encode()).hexdigest(), "query_hash_alg": "SHA512"}
    key = secret_key.encode()
    return jwt.encode(claims, key, "HS512" if len(key) >= _SHORTEST_HS512_KEY_BYTES else "HS256")


def signed_text(request: PreparedRequest) -> str:
    """Return the text that Upbit hashes: `k=v&k=v` in the order sent, without percent-encoding."""
    if request.body:
        return "&".join(f"{name}={text}" for name, text in json.loads(request.body).items())
    return unquote(urlsplit(str(request.url)).query)


@dataclass(frozen=True)
class Signature(AuthBase):
    """Signs each prepared request just before it is sent, each with a nonce of its own."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        signed = token(self.access_key, self.secret_key, signed_text(request))
        request.headers["Authorization"] = f"Bearer {signed}"
        return request
