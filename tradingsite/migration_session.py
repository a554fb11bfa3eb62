"""The database session of `migrate`: only one process migrates a database at a time (docs/migrations.md)."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.db import connections
from django.db.utils import OperationalError

from tradingsite.embedded_postgres.base import DatabaseWrapper

LOCK_TIMEOUT_S = 5.0
_POLL_S = 0.2
_QUIET_S = 2.0
_REPEAT_S = 60.0
# The key of the advisory lock: any two numbers not used elsewhere in this database.
_KEY = (0x74726164, 2)
_LOCK = "SELECT pg_try_advisory_lock(%s, %s), pg_backend_pid()"
_HERE = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_HOLDER = f"""
SELECT a.application_name, a.pid, a.usename, extract(epoch FROM now() - a.backend_start)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.objsubid = 2 AND l.granted
  AND l.database = {_HERE}
"""  # noqa: S608 - made of constants
# A session that made a wait for a lock time out has been in a transaction for at least as long. Its query is
# shown without string literals: they may be session keys or hashes.
_LONG_TRANSACTIONS = f"""
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.backend_type), coalesce(a.state, 'active'),
  extract(epoch FROM now() - a.xact_start),
  left(regexp_replace(
    regexp_replace(left(a.query, 1000), $q$'[^']*('|$)$q$, $q$'…'$q$, 'g'), '\\s+', ' ', 'g'), 100)
FROM pg_stat_activity a
WHERE a.xact_start < now() - make_interval(secs => %s) AND a.pid <> pg_backend_pid()
  AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.database = {_HERE})
ORDER BY a.xact_start LIMIT 3
"""  # noqa: S608 - made of constants
# The server detects after about 10 s that this client is gone, and frees its lock.
_OPTIONS = (
    "-c statement_timeout=0 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
)
_OTHERS_HOLD_LOCKS = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


class MigrationSession(DatabaseWrapper):
    """One connection, outside the pool and past any pooler, without a statement timeout."""

    pool = None
    _was_connected = False

    def get_connection_params(self) -> dict[str, Any]:
        """Return the address in `DATABASE_DIRECT_URL`, if it is set, with the limits of a migration."""
        own: dict[str, Any] = super().get_connection_params() | self.settings_dict.get("DIRECT", {})
        limits = f"{_OPTIONS} -c lock_timeout={LOCK_TIMEOUT_S * 1000:.0f}"
        return own | {
            "application_name": f"migrate {os.getpid()}@{socket.gethostname()}"[:63],
            "options": f"{own.get('options', '')} {limits}".strip(),
        }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect once only: a second session would go on without the lock of the first.

        Raises:
            OperationalError: it was connected before.
        """
        if self._was_connected:
            raise OperationalError("The migrating session was lost, and with it its lock: run migrate again.")
        connection = super().get_new_connection(conn_params)
        self._was_connected = True
        return connection

    def limit_lock_waits(self, *, limited: bool = True) -> None:
        """Make further statements wait at most `LOCK_TIMEOUT_S` for a lock, or without a limit."""
        with self.cursor() as cursor:
            cursor.execute("RESET lock_timeout" if limited else "SET lock_timeout = 0")

    def long_transactions(self) -> list[str]:
        """Describe the transactions that have been open for longer than this session waits for a lock."""
        with self.cursor() as cursor:
            cursor.execute(_LONG_TRANSACTIONS, [LOCK_TIMEOUT_S])
            return [
                f"session {pid} ({name}, {state}, for {age:.0f} s in a transaction): {query}"
                for pid, name, state, age, query in cursor.fetchall()
            ]


@contextmanager
def migration_session(using: str, stdout: OutputWrapper) -> Iterator[MigrationSession]:
    """Wait until no other process migrates, then hold the lock.

    Inside, Django's connection `using` is the session that holds it.
    """
    outer = connections[using]
    if isinstance(outer, MigrationSession):  # nested: `prepare` runs `migrate`
        yield outer
        return
    session = MigrationSession(outer.settings_dict, using)
    try:
        _lock(session, stdout)
        connections[using] = session
        yield session
    finally:
        connections[using] = outer
        session.close()


def others_hold_locks(error: BaseException) -> bool:
    """Return whether a statement failed only because other sessions hold locks at the moment."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, _OTHERS_HOLD_LOCKS)


def _lock(session: MigrationSession, stdout: OutputWrapper) -> None:
    """Take the lock, however long it takes.

    It polls. A session that waits inside `pg_advisory_lock` has a snapshot, and the CREATE INDEX CONCURRENTLY
    of the session that holds the lock would wait for that snapshot: a deadlock.
    """
    report_at_s = time.monotonic() + _QUIET_S
    with session.cursor() as cursor:
        while not _try(session, cursor):
            if time.monotonic() >= report_at_s:
                report_at_s = time.monotonic() + _REPEAT_S
                stdout.write(_waiting_text(cursor))
                stdout.flush()
            time.sleep(_POLL_S)


def _try(session: MigrationSession, cursor: Any) -> bool:
    cursor.execute(_LOCK, _KEY)
    locked, pid = cursor.fetchone()
    if pid != session.connection.info.backend_pid:
        raise CommandError(
            "Through this address each statement may use another session, so that no lock would last."
            " Set DATABASE_DIRECT_URL to the database's own address."
        )
    return bool(locked)


def _waiting_text(cursor: Any) -> str:
    cursor.execute(_HOLDER, _KEY)
    name, pid, user, age = cursor.fetchone() or ("another migration", "?", "?", 0)
    return f"Waiting for {name} to finish on this database: session {pid} of {user}, for {age:.0f} s."
