"""What a page asks of the database, without ever hanging with it."""

from collections.abc import Callable
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from healthcheck.engine.bounded import TookTooLong
from healthcheck.engine.engine import engine

T = TypeVar("T")


def from_database(work: Callable[[], T]) -> T | None:
    """Return what `work` reads there; None while the database is down, or when that takes over a second."""
    if engine().component("database").raw.status == "unhealthy":
        return None
    if connection.in_atomic_block:  # what the transaction has written can be seen only here
        return work()
    try:
        return engine().aside.run(work)
    except (TookTooLong, DatabaseError):
        return None
