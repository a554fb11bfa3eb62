"""The lock that makes one scheduler the leader: a PostgreSQL advisory lock, on its own connection.

See docs/scheduler.md, R1, R2 and R5.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from sysconfig.models import direct_connect

# The key of the advisory lock: any two numbers not used elsewhere in this database.
_KEY = (0x74726164, 1)
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"
_PID = "SELECT pg_backend_pid()"
# The lock ends with its session, so only this session itself can confirm that it holds the lock.
_HOLDS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2
  AND pid = pg_backend_pid() AND granted
"""
# This runs every second, so requests of operators are read in the same statement.
_CHECK = f"""
SELECT ({_HOLDS}) = 1, EXISTS (SELECT FROM job_state WHERE run_requested_at IS NOT NULL)
"""  # noqa: S608 - made of constants
# A live leader writes heartbeats, and uses its session every second. Its row names that session, except
# between taking the lock and writing the row; so a session idle for that long counts as frozen as well.
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
    # Server and scheduler each detect within about 6 s that the other one is gone.
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
    "options": "-c statement_timeout=3000 -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1"
    " -c tcp_keepalives_count=3",
}


class NotOneSession(Exception):
    """A pooler gives each statement another session, so the lock would protect nothing."""


class LockCheck(NamedTuple):
    """What the leader checks every second."""

    holds: bool
    run_requested: bool
    """A run of any job, perhaps of one that this release does not know."""


class LeaderLock:
    """Held by the process that leads. The server releases it when the connection ends, for any reason."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def acquire(self) -> bool:
        """Try to get the lock without waiting; False if another process holds it.

        Call it only without the lock.

        Raises:
            psycopg.Error: the database does not answer.
            NotOneSession: sessions at this address cannot hold a lock.
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
        """Ask the server whether this process holds the lock. Thread-safe.

        Raises:
            psycopg.Error: the session is gone, and the lock with it.
        """
        return self._connection is not None and bool(self._ask(_HOLDS))

    def check(self) -> LockCheck:
        """Ask the server whether this process holds the lock, and whether a run was requested.

        Raises:
            psycopg.Error: the session is gone, and the lock with it.
        """
        connection = self._connection
        row = connection.execute(_CHECK, _KEY).fetchone() if connection else None
        return LockCheck(*row) if row else LockCheck(holds=False, run_requested=False)

    @property
    def session_pid(self) -> int | None:
        """The backend pid of this session; None without one."""
        return self._connection.info.backend_pid if self._connection else None

    def break_frozen(self, after_s: float) -> bool:
        """End the session of a leader that has been silent for `after_s` seconds.

        Returns whether there was one.

        Raises:
            psycopg.Error: the database does not answer, or has no table of heartbeats yet.
        """
        return bool(self._ask(_BREAK, (*_KEY, after_s, after_s)))

    def release(self) -> None:
        """End the session, and with it the lock."""
        # First, so that `holds` in another thread returns False.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, statement: LiteralString, parameters: Sequence[object] = _KEY) -> Any:
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError("the lock's connection is closed")
        row = connection.execute(statement, parameters).fetchone()
        return row and row[0]
