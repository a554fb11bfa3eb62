"""Masks secrets in any text: in logs, in error messages and in health answers.

It imports nothing of the project, so that all of it can use it. Every pattern runs in linear time on any
text: possessive quantifiers keep a failed match from being tried again from the next character.
"""

import re
from collections.abc import Iterable

MASK = "***"
SHORTEST_SECRET = 6
"""A shorter text could occur in a page by chance."""

_URL_PASSWORD = re.compile(r"(?P<user>(?<!\w)\w++://[^\s:/@]*+):[^\s@]++(?P<end>@?)")
_SCHEME_TOKEN = re.compile(r"(?i)\b(bearer|basic)(\s++)[\w.~+/=-]++")
_JWT = re.compile(r"\beyJ[\w-]{5,}+(?P<rest>\.[\w-]++\.[\w-]*+)?")
_MASKED_NAME = (
    "(?:access_key|secret_key|api[_-]?key|password|passwd|token|secret|authorization"
    "|balance|locked|avg_buy_price)"
)
# Four levels of quoting make fewer than 16 backslashes. Without a bound the search for the closing quote
# would take quadratic time.
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
    """Set the secrets to mask wherever they appear."""
    global _secrets  # noqa: PLW0603 - set once, when settings are read
    _secrets = tuple(_longest_first(values))


def mask(text: str) -> str:
    """Return `text` with every known secret, and everything that looks like one, replaced by `***`.

    That covers passwords in URLs, bearer tokens, JWTs, and values whose name says that they are a secret or
    an amount on the account. A quoted value without a closing quote is masked to the end of its line.
    """
    text = hide_known(text)
    text = _URL_PASSWORD.sub(_hide_password, text)
    text = _SCHEME_TOKEN.sub(rf"\1\2{MASK}", text)
    return _NAMED.sub(_hide_value, _JWT.sub(_hide_jwt, text))


def hide_known(text: str) -> str:
    """Return `text` without the known secrets only."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    return text


def hide(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return `body` without the given secrets."""
    for secret in _longest_first(secrets):
        body = body.replace(secret.encode(), MASK.encode())
    return body


def hide_user_info(text: str) -> str:
    """Return `text` without everything before its last `@`, also if it is not a well-formed URL."""
    _, at, rest = text.rpartition("@")
    return f"{MASK}@{rest}" if at else text


def names_secret(key: str) -> bool:
    """Return whether a value of this name must always be masked."""
    return bool(_SECRET_KEY.search(key))


def _longest_first(secrets: Iterable[str]) -> list[str]:
    # One secret may be the beginning of another.
    return sorted({each for each in secrets if len(each) >= SHORTEST_SECRET}, key=len, reverse=True)


def _hide_password(found: re.Match[str]) -> str:
    return f"{found['user']}:{MASK}@" if found["end"] else found[0]


def _hide_jwt(found: re.Match[str]) -> str:
    return MASK if found["rest"] else found[0]


def _hide_value(found: re.Match[str]) -> str:
    # An unquoted value after a quoted name is a JSON number; quoting the mask keeps the JSON valid.
    quote = found["quote"] or found["close"]
    return f"{found['name']}{found['close']}{found['is']}{quote}{MASK}{quote}"
