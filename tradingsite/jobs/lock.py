"""The lock that makes one scheduler of many: a PostgreSQL advisory lock on a connection of its own."""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from sysconfig import direct

# Any two numbers that nothing else in this database locks.
_KEY = (0x74726164, 1)
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"
# The lock lives as long as the session does, and only this very session may say that it holds it.
_HOLDS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2
  AND pid = pg_backend_pid() AND granted
"""
_CONNECTION: dict[str, Any] = {
    "application_name": "tradingsite-scheduler",
    "connect_timeout": 3,
    # A vanished server is noticed in about six seconds, and a vanished scheduler by the server as fast.
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
    "options": "-c statement_timeout=3000 -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1"
    " -c tcp_keepalives_count=3",
}


class NotOneSession(Exception):
    """A pooler gives each statement another session: the lock would protect nothing."""


class LeaderLock:
    """Held by the process that leads. The server frees it when the connection ends, however that happens."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def acquire(self) -> bool:
        """Try to get the lock, at once; False while another process holds it. Call it only when not holding.

        Raises:
            psycopg.Error: the database does not answer.
            NotOneSession: behind this address a session can't hold a lock.
        """
        if self._connection is None:
            wrapper = connections[DEFAULT_DB_ALIAS]
            self._connection = direct.connect(psycopg.Connection[tuple[Any, ...]], wrapper, **_CONNECTION)
        if not self._ask(_TRY):
            return False
        if not self.holds():
            self.release()
            raise NotOneSession
        return True

    def holds(self) -> bool:
        """Ask the server whether this process holds the lock. Safe from any thread.

        Raises:
            psycopg.Error: the session is gone, and the lock with it.
        """
        return self._connection is not None and bool(self._ask(_HOLDS))

    def release(self) -> None:
        """End the session, and with it the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, statement: str) -> Any:
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError("the lock's connection is closed")
        row = connection.execute(statement, _KEY).fetchone()
        return row and row[0]
