"""Checks the signature of a request, in the order in which Upbit does (docs/sandbox-exchange.md E1-E4)."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.options import ApiKey

_ALGORITHMS = ("HS256", "HS384", "HS512")
_BEARER = "bearer "


@dataclass(frozen=True)
class _Token:
    text: str
    algorithm: str
    claims: Mapping[str, object]


def authenticate(
    request: Request, sent: str, key: ApiKey, permission: str | None, use_nonce: Callable[[str], bool]
) -> None:
    """Return if the request may pass, otherwise raise `Denied`.

    `sent` is the text of the parameters, without percent-encoding, in the order sent. `use_nonce` records a
    nonce and returns whether it was new; a nonce is used up even if a later check fails.
    """
    token = _token(request)
    if token.claims.get("access_key") != key.access_key:
        raise Denied("invalid_access_key")
    _check_signature(token, key)
    if key.expires_at and datetime.fromtimestamp(request.at_ms / 1000, UTC) >= key.expires_at:
        raise Denied("expired_access_key")
    _check_nonce(token, use_nonce)
    _check_query_hash(token, sent)
    if permission and permission not in key.permissions:
        raise Denied("out_of_scope")
    if key.allowed_ips is not None and request.client not in key.allowed_ips:
        raise Denied("no_authorization_ip")


def named_key(request: Request) -> str | None:
    """Return the access key that the request names, without checking the signature; None if it names none."""
    try:
        key = _token(request).claims.get("access_key")
    except Denied:
        return None
    return key if isinstance(key, str) else None


def _token(request: Request) -> _Token:
    header = request.headers.get("authorization", "")
    if not header.lower().startswith(_BEARER) or not header[len(_BEARER) :].strip():
        raise Denied("no_authorization_token")
    text = header[len(_BEARER) :].strip()
    try:
        decoded = PyJWS().decode_complete(text, options={"verify_signature": False})
        claims = json.loads(decoded["payload"])
    except (PyJWTError, ValueError) as error:
        raise Denied("jwt_verification") from error
    algorithm = decoded["header"].get("alg")
    if algorithm not in _ALGORITHMS or not isinstance(claims, dict):
        raise Denied("jwt_verification")
    return _Token(text, algorithm, claims)


def _check_signature(token: _Token, key: ApiKey) -> None:
    """Check the token as a plain JWS, because Upbit ignores JWT claims such as `exp`."""
    try:
        PyJWS().decode(token.text, key.secret_key.encode(), algorithms=[token.algorithm])
    except PyJWTError as error:
        raise Denied("jwt_verification") from error


def _check_nonce(token: _Token, use_nonce: Callable[[str], bool]) -> None:
    nonce = token.claims.get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise Denied("jwt_verification")
    if not use_nonce(nonce):
        raise Denied("nonce_used")


def _check_query_hash(token: _Token, sent: str) -> None:
    """Require a matching hash if the request has parameters, and none if it has not."""
    claimed = token.claims.get("query_hash")
    if not sent:
        if claimed:
            raise Denied("invalid_query_payload")
        return
    if token.claims.get("query_hash_alg") != "SHA512" or not isinstance(claimed, str):
        raise Denied("invalid_query_payload")
    if not hmac.compare_digest(claimed.lower().encode(), hashlib.sha512(sent.encode()).hexdigest().encode()):
        raise Denied("invalid_query_payload")
