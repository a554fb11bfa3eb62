"""The lock that makes one scheduler of many: a PostgreSQL advisory lock on a connection of its own."""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from sysconfig.models import direct_connect

# Any two numbers that nothing else in this database locks.
_KEY = (0x74726164, 1)
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"
_PID = "SELECT pg_backend_pid()"
# The lock lives as long as the session does, and only this very session may say that it holds it.
_HOLDS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2
  AND pid = pg_backend_pid() AND granted
"""
# Once a second is often: what a person may have asked for is looked up in the same statement.
_CHECK = f"""
SELECT ({_HOLDS}) = 1, EXISTS (SELECT FROM job_state WHERE run_requested_at IS NOT NULL)
"""  # noqa: S608 - made of constants
# A leader that is alive beats, and asks its session each second. Its row names that session, except in the
# moment between lock and row: so a session that has been asked nothing for as long counts as frozen too.
_BREAK = """
SELECT count(pg_terminate_backend(l.pid, 1000))
FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN scheduler_heartbeat h ON h.id = 1
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND coalesce(h.heartbeat_at, '-infinity') < clock_timestamp() - make_interval(secs => %s)
  AND (h.lock_pid = l.pid OR a.state_change < clock_timestamp() - make_interval(secs => %s))
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


class LockCheck(NamedTuple):
    """What a leader sees each second."""

    holds: bool
    run_requested: bool
    """Of some job, maybe of one that this version does not know."""


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
            self._connection = direct_connect(psycopg.Connection[tuple[Any, ...]], wrapper, **_CONNECTION)
            if self._ask(_PID, ()) != self._connection.info.backend_pid:
                self.release()
                raise NotOneSession
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

    def check(self) -> LockCheck:
        """Ask the server the same, and whether anybody has asked for a run.

        Raises:
            psycopg.Error: as for `holds`.
        """
        connection = self._connection
        row = connection.execute(_CHECK, _KEY).fetchone() if connection else None
        return LockCheck(*row) if row else LockCheck(holds=False, run_requested=False)

    @property
    def session_pid(self) -> int | None:
        """The server's process id of this session; None without one."""
        return self._connection.info.backend_pid if self._connection else None

    def break_frozen(self, after_s: float) -> bool:
        """End the session of a holder that has given no sign for `after_s` seconds; return whether it did.

        Raises:
            psycopg.Error: the database does not answer, or has no table of heartbeats yet.
        """
        return bool(self._ask(_BREAK, (*_KEY, after_s, after_s)))

    def release(self) -> None:
        """End the session, and with it the lock."""
        connection, self._connection = self._connection, None  # whoever asks meanwhile gets a no
        if connection is not None:
            connection.close()

    def _ask(self, statement: LiteralString, parameters: Sequence[object] = _KEY) -> Any:
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError("the lock's connection is closed")
        row = connection.execute(statement, parameters).fetchone()
        return row and row[0]
