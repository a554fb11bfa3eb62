"""Removes secrets from every health answer as the last step (docs/health.md, rule 26).

Messages are written without secrets. This covers the case that a library puts an address or a password into
an error text which is then shown, e.g. as a job's error.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

STRUCK = b"***"

_ADDRESSES = re.compile(
    rb"""(?ix)
    \b postgres(?:ql)?:// [^\s"'<>&\\]++
    | (?<= \b password= ) [^\s"'<>&\\]++
    | (?<= \b server\ at ) \s (?:\\?"|&quot;) [^\s"&\\]++ (?:\\?"|&quot;)
      (?: \s\([^)]{,200}\) )? ,\ port\ \d++
    """
)
"""Database addresses and passwords, in the forms that PostgreSQL and its driver write."""
_PATH = re.compile(rb"""(?:/[^\s"'<>&/\\]++)++""")
_SOCKET = b"/.s.PGSQL."


@lru_cache(maxsize=16)  # the same answer is sent many times, and searching it costs as much as a view
def redacted(body: bytes) -> bytes:
    """Return `body` without the values of `HEALTH_REDACTED`, database addresses and database passwords.

    `HEALTH_MASK` names the site's function that masks given values: `(body, values) -> body`.
    """
    hide: Callable[[bytes, Iterable[str]], bytes] = import_string(settings.HEALTH_MASK)
    return _PATH.sub(_without_socket, _ADDRESSES.sub(STRUCK, hide(body, settings.HEALTH_REDACTED)))


def _without_socket(path: re.Match[bytes]) -> bytes:
    folder, socket, port = path[0].rpartition(_SOCKET)
    return STRUCK + port.lstrip(b"0123456789") if folder and socket and port[:1].isdigit() else path[0]


def redacted_text(text: str) -> str:
    return redacted(text.encode()).decode()


def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting in {"HEALTH_MASK", "HEALTH_REDACTED"}:
        redacted.cache_clear()


setting_changed.connect(_forget)
