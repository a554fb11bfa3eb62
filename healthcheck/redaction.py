"""What must never be read is struck out of every health answer at last (docs/health.md, 26).

Messages are written without secrets to begin with. This is for the day when a library puts an address or a
password into an error's text, and a job's error is shown.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from django.conf import settings
from django.core.signals import setting_changed

STRUCK = b"***"

_SHORTEST = 6
"""A shorter text is in every page by chance."""
_ADDRESSES = re.compile(
    rb"""(?ix)
    \b postgres(?:ql)?:// [^\s"'<>&\\]+
    | (?<= \b password= ) [^\s"'<>&\\]+
    | (?: /[^\s"'<>&/\\]+ )+ /\.s\.PGSQL\.\d+
    | (?<= \b server\ at ) \s (?:\\?"|&quot;) [^\s"&\\]+ (?:\\?"|&quot;) (?: \s\([^)]*\) )? ,\ port\ \d+
    """
)
"""In the forms in which PostgreSQL and its driver tell them."""


@lru_cache(maxsize=16)  # one snapshot's answer is given many times, and searching it costs as much as a view
def redacted(body: bytes) -> bytes:
    """Return `body` without any of `HEALTH_REDACTED`, any address of a database, and any password of one."""
    for value in _values():
        body = body.replace(value, STRUCK)
    return _ADDRESSES.sub(STRUCK, body)


def redacted_text(text: str) -> str:
    """Return the same of a text for a terminal."""
    return redacted(text.encode()).decode()


@cache
def _values() -> tuple[bytes, ...]:
    return tuple(_longest_first(settings.HEALTH_REDACTED))


def _longest_first(values: Iterable[str]) -> Iterable[bytes]:
    long_enough = {value.encode() for value in values if len(value) >= _SHORTEST}
    return sorted(long_enough, key=len, reverse=True)  # one may be the beginning of another


def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting == "HEALTH_REDACTED":
        _values.cache_clear()
        redacted.cache_clear()


setting_changed.connect(_forget)
