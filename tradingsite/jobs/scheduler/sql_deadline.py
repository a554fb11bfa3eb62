"""Applies the deadline of a run to every HTTP call and every SQL statement in it.

See docs/scheduler.md, R12.
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
"""The shortest limit of a statement, even past the deadline: results of orders must still be saved."""


@contextmanager
def bound(within_s: float) -> Iterator[Deadline]:
    """Limit everything that this thread does in the block to `within_s` seconds from now."""
    deadline = Deadline(within_s)
    database = cast("DatabaseWrapper", default_connection)  # of this thread
    limit = _StatementLimit(deadline)
    try:
        with overall_deadline(deadline), database.execute_wrapper(limit):
            yield deadline
    finally:
        database.restore_statement_limit()


class _StatementLimit:
    """Sets a timeout before a statement, so that it ends at the latest after 1.5 times the deadline.

    That is before the hard limit. The session's own timeout is short enough until the deadline is near, so a
    short run sets a timeout once at most, and a run with minutes left never does.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._connection: Any = None
        self._in_force_s = 0.0
        self._in_transaction = False

    def __call__(self, execute: Callable[..., Any], *call: Any) -> Any:
        """Called by Django with statement, parameters, many, context."""
        self._tighten(call[-1]["connection"])
        return execute(*call)

    def _tighten(self, database: DatabaseWrapper) -> None:
        connection = database.connection
        if connection.info.transaction_status == TransactionStatus.INERROR:
            return  # only a rollback is possible now
        ended = self._in_transaction and not database.in_atomic_block  # its rollback may have undone our SET
        if connection is not self._connection or ended:
            self._connection, self._in_transaction = connection, False
            self._in_force_s = _session_limit_s()
        left_s = max(self._deadline.left_s(), LEAST_S)
        if left_s + self._deadline.within_s / 2 < self._in_force_s:
            database.limit_statements(left_s)
            self._in_force_s, self._in_transaction = left_s, database.in_atomic_block


@cache
def _session_limit_s() -> float:
    """Return the timeout that a connection starts with; it is the same for the whole process."""
    default_connection.ensure_connection()
    statement = "SELECT reset_val::int FROM pg_settings WHERE name = 'statement_timeout'"
    (limit_ms,) = default_connection.connection.execute(statement).fetchone()
    return limit_ms / 1000 or float("inf")
