"""The soft deadline of a run, carried into every HTTP call and every SQL statement inside it.

Rules: docs/scheduler.md R12.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from django.db import connection as default_connection
from psycopg.pq import TransactionStatus

from tradingsite.clients.deadline import Deadline, overall_deadline
from tradingsite.embedded_postgres.base import DatabaseWrapper

LEAST_S = 1.0
"""For a statement, also past the deadline: what an order came to must still be written down."""


@contextmanager
def bound(within_s: float) -> Iterator[Deadline]:
    """Hold what this thread does inside to `within_s` seconds from now."""
    deadline = Deadline(within_s)
    database = cast("DatabaseWrapper", default_connection)  # this thread's
    limit = _StatementLimit(deadline)
    try:
        with overall_deadline(deadline), database.execute_wrapper(limit):
            yield deadline
    finally:
        database.restore_statement_limit()


class _StatementLimit:
    """Before a statement: makes sure that it ends, at the latest, when 1.5 times the deadline are over.

    That is before the hard limit. So a run sets a limit seldom: a quick one once at most, and one with
    minutes of time never, since the session's own limit is short enough until the end is near.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._connection: Any = None
        self._in_force_s = 0.0
        self._in_transaction = False

    def __call__(self, execute: Callable[..., Any], *call: Any) -> Any:
        """Take Django's call of a wrapper: statement, parameters, many, context."""
        self._tighten(call[-1]["connection"])
        return execute(*call)

    def _tighten(self, database: DatabaseWrapper) -> None:
        connection = database.connection
        if connection.info.transaction_status == TransactionStatus.INERROR:
            return  # nothing but the rollback can come
        ended = self._in_transaction and not database.in_atomic_block  # and took its SET back, perhaps
        if connection is not self._connection or ended:
            self._connection, self._in_transaction = connection, False
            self._in_force_s = _of_the_session_s()
        left_s = max(self._deadline.left_s(), LEAST_S)
        if left_s + self._deadline.within_s / 2 < self._in_force_s:
            database.limit_statements(left_s)
            self._in_force_s, self._in_transaction = left_s, database.in_atomic_block


@cache
def _of_the_session_s() -> float:
    """Return the limit that a connection begins with; it is the same for all of this process."""
    default_connection.ensure_connection()
    statement = "SELECT reset_val::int FROM pg_settings WHERE name = 'statement_timeout'"
    (limit_ms,) = default_connection.connection.execute(statement).fetchone()
    return limit_ms / 1000 or float("inf")
