"""Masking of secrets: the one place that knows what must be readable nowhere, and how it looks.

It imports nothing, so that logs, environment, clients and (by `HEALTH_MASK`) health answers can share it.
Every pattern is linear on any text: what was scanned in vain is consumed, never scanned from a second start.
"""

import re
from collections.abc import Iterable

MASK = "***"
SHORTEST_SECRET = 6
"""A shorter text is in every page by chance."""

_URL_PASSWORD = re.compile(r"(?P<user>(?<!\w)\w++://[^\s:/@]*+):[^\s@]++(?P<end>@?)")
_SCHEME_TOKEN = re.compile(r"(?i)\b(bearer|basic)(\s++)[\w.~+/=-]++")
_JWT = re.compile(r"\beyJ[\w-]{5,}+(?P<rest>\.[\w-]++\.[\w-]*+)?")
_MASKED_NAME = (
    "(?:access_key|secret_key|api[_-]?key|password|passwd|token|secret|authorization"
    "|balance|locked|avg_buy_price)"
)
# Sixteen backslashes are more than four levels of quoting make. Without a bound the search for the closing
# quote compares as many characters at each position.
_NAMED = re.compile(
    rf"""(?ix)
    (?P<name> {_MASKED_NAME} ) (?P<close> \\*+["']?+ ) (?P<is> \s*+[=:]\s*+ )
    (?: Decimal\( ['"] [^'"\n]*+ (?: ['"] \)? )?
      | (?P<quote> \\{{0,16}}+["'] ) (?![,}}\]]) (?: .*? (?P=quote) | .*+ )
      | \\{{17}} .*+
      | [^\s,;}}\])"'\\]++
    )
    """
)
_SECRET_KEY = re.compile(rf"(?i){_MASKED_NAME}\Z")
_secrets: tuple[str, ...] = ()


def know_secrets(values: Iterable[str]) -> None:
    """Mask these very texts too, wherever they appear."""
    global _secrets  # noqa: PLW0603 - set once, when settings are read
    _secrets = tuple(_longest_first(values))


def mask(text: str) -> str:
    """Return `text` with every known secret and everything that looks like one replaced by `***`.

    That is passwords in URLs, bearer tokens, JWTs, and values named as a secret or as an amount on the
    account. A quoted value without its end is masked to the end of its line.
    """
    text = hide_known(text)
    text = _URL_PASSWORD.sub(_hide_password, text)
    text = _SCHEME_TOKEN.sub(rf"\1\2{MASK}", text)
    return _NAMED.sub(_hide_value, _JWT.sub(_hide_jwt, text))


def hide_known(text: str) -> str:
    """Return `text` without the known secrets; what only looks like one stays."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    return text


def hide(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return `body` without these secrets."""
    for secret in _longest_first(secrets):
        body = body.replace(secret.encode(), MASK.encode())
    return body


def hide_user_info(text: str) -> str:
    """Return `text` without whatever stands before its last `@`, which may be no well-formed URL."""
    _, at, rest = text.rpartition("@")
    return f"{MASK}@{rest}" if at else text


def names_secret(key: str) -> bool:
    """Return whether a value of this name is to be masked whatever it is."""
    return bool(_SECRET_KEY.search(key))


def _longest_first(secrets: Iterable[str]) -> list[str]:
    # One may be the beginning of another.
    return sorted({each for each in secrets if len(each) >= SHORTEST_SECRET}, key=len, reverse=True)


def _hide_password(found: re.Match[str]) -> str:
    return f"{found['user']}:{MASK}@" if found["end"] else found[0]


def _hide_jwt(found: re.Match[str]) -> str:
    return MASK if found["rest"] else found[0]


def _hide_value(found: re.Match[str]) -> str:
    # A bare value after a quoted name is a JSON number: quoted, the text stays JSON.
    quote = found["quote"] or found["close"]
    return f"{found['name']}{found['close']}{found['is']}{quote}{MASK}{quote}"
