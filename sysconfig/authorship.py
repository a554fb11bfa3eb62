"""Passes the author of a change to the triggers that write the history.

docs/configuration.md, "History", explains the sources. The triggers read PostgreSQL settings that end with
the transaction, so that a pooled connection keeps no author.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple

from django.conf import settings
from django.db import connections, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string

Source = Literal["admin", "command", "program"]


class Author(NamedTuple):
    """Who changes the configuration.

    The trigger replaces blanks by the connection's `application_name` and address.
    """

    source: Source = "program"
    actor: str = ""
    origin: str = ""


_PROGRAM = Author()
_author: ContextVar[Author] = ContextVar("sysconfig_author", default=_PROGRAM)

# One statement reads the old settings and replaces them.
_SET_AUTHOR = """
WITH before AS MATERIALIZED (
    SELECT current_setting('sysconfig.source', true) AS source,
           current_setting('sysconfig.actor', true) AS actor,
           current_setting('sysconfig.origin', true) AS origin
)
SELECT coalesce(source, ''), coalesce(actor, ''), coalesce(origin, ''),
       set_config('sysconfig.source', %s, true),
       set_config('sysconfig.actor', %s, true),
       set_config('sysconfig.origin', %s, true)
FROM before
"""


@contextmanager
def attributed_to(source: Source, actor: str, origin: str) -> Iterator[None]:
    """Set the author of all changes in this block. `origin` is an IP address or user@host."""
    token = _author.set(Author(source, _plain(actor), _plain(origin)))
    try:
        yield
    finally:
        _author.reset(token)


def as_operator(request: HttpRequest) -> AbstractContextManager[None]:
    """Set the request's user and address as the author of all changes in this block."""
    return attributed_to("admin", request.user.get_username(), client_address(request))


def client_address(request: HttpRequest) -> str:
    """Return the result of the function named by `SYSCONFIG_CLIENT_ADDRESS`, or the peer's address.

    Only the project knows whether it is behind a proxy, and which of its headers can be trusted.
    """
    chosen = getattr(settings, "SYSCONFIG_CLIENT_ADDRESS", None)
    return str(import_string(chosen)(request) if chosen else request.META.get("REMOTE_ADDR", ""))


@contextmanager
def attributed(alias: str) -> Iterator[None]:
    """Open a transaction (or savepoint) whose changes are recorded with the author of `attributed_to`.

    Used for checked changes only. Other changes in the same transaction are recorded as plain SQL.
    """
    with transaction.atomic(using=alias):
        before = _set_author(alias, _author.get())
        yield
        _set_author(alias, before)  # after an error the rollback restores them


def _set_author(alias: str, author: tuple[str, ...]) -> tuple[str, ...]:
    """Set the three settings for the rest of the transaction; return the previous ones."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_SET_AUTHOR, author)
        before: tuple[str, ...] = cursor.fetchone()[:3]
    return before


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL rejects NUL, and a strange name must not prevent a change
