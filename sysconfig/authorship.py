"""Who changes the configuration, and from where, for the triggers that write the history.

docs/configuration.md, "History", says what each source means. The triggers read PostgreSQL settings that
end with the transaction, so that a pooled connection carries nothing over.
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
    """The trigger fills in blank texts: the connection's `application_name` and address."""

    source: Source = "program"
    actor: str = ""
    origin: str = ""


_PROGRAM = Author()
_author: ContextVar[Author] = ContextVar("sysconfig_author", default=_PROGRAM)

# In one statement: the old settings are read before they are replaced.
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
    """Record changes of this block under this author. `origin` is an address or user@host."""
    token = _author.set(Author(source, _plain(actor), _plain(origin)))
    try:
        yield
    finally:
        _author.reset(token)


def as_operator(request: HttpRequest) -> AbstractContextManager[None]:
    """Record changes of this block under the user and the address of `request`."""
    return attributed_to("admin", request.user.get_username(), client_address(request))


def client_address(request: HttpRequest) -> str:
    """Return what the callable named by `SYSCONFIG_CLIENT_ADDRESS` says, or the address of the peer.

    Only the project knows whether a proxy stands in front, and which of its headers can be believed.
    """
    chosen = getattr(settings, "SYSCONFIG_CLIENT_ADDRESS", None)
    return str(import_string(chosen)(request) if chosen else request.META.get("REMOTE_ADDR", ""))


@contextmanager
def attributed(alias: str) -> Iterator[None]:
    """Open a transaction (or a savepoint) whose changes are recorded under `attributed_to`'s author.

    For checked changes. What the same transaction does outside of the block is recorded as plain SQL.
    """
    with transaction.atomic(using=alias):
        before = _set_author(alias, _author.get())
        yield
        _set_author(alias, before)  # after an error the roll-back does it


def _set_author(alias: str, author: tuple[str, ...]) -> tuple[str, ...]:
    """Set the three settings until the transaction ends; return the old ones."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_SET_AUTHOR, author)
        before: tuple[str, ...] = cursor.fetchone()[:3]
    return before


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL's text can't hold it, and a name must not stop a change
