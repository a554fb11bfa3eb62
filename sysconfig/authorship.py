"""Who changes the configuration, and from where: told to the triggers that write the history.

docs/configuration.md, "History", says what each source means. Triggers hear of it through settings that end
with the transaction, so that a pooled connection carries nothing over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple

from django.db import connections, transaction

Source = Literal["admin", "command", "program"]


class Author(NamedTuple):
    """Blank texts are filled in by the trigger: the connection's `application_name` and address."""

    source: Source = "program"
    actor: str = ""
    origin: str = ""


_PROGRAM = Author()
_author: ContextVar[Author] = ContextVar("sysconfig_author", default=_PROGRAM)

# One statement, and its order is certain: what stood there is read before it is replaced.
_TELL = """
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
def writing_as(source: Source, actor: str, origin: str) -> Iterator[None]:
    """Name who makes the changes of this block, for the history. `origin` is an address or user@host."""
    token = _author.set(Author(source, _plain(actor), _plain(origin)))
    try:
        yield
    finally:
        _author.reset(token)


@contextmanager
def signed(alias: str) -> Iterator[None]:
    """Hold a transaction (a savepoint in one) whose changes are recorded as those of `writing_as`'s author.

    For changes that were checked. What the same transaction does outside of the block is plain SQL's again.
    """
    with transaction.atomic(using=alias):
        before = _tell(alias, _author.get())
        yield
        _tell(alias, before)  # after an error the roll-back does it


def _tell(alias: str, author: tuple[str, ...]) -> tuple[str, ...]:
    """Set the three settings for the rest of the transaction. Return what they were."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_TELL, author)
        before: tuple[str, ...] = cursor.fetchone()[:3]
    return before


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL's text can't hold it, and a name must not stop a change
