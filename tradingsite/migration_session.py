"""The session that changes the schema: one at a time in a database. docs/migrations.md."""

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
_SILENT_S = 2.0
_REPEAT_S = 60.0
# Any two numbers that nothing else in this database locks.
_KEY = (0x74726164, 2)
_LOCK = "SELECT pg_try_advisory_lock(%s, %s), pg_backend_pid()"
_HERE = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_HOLDER = f"""
SELECT a.application_name, a.pid, a.usename, extract(epoch FROM now() - a.backend_start)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.objsubid = 2 AND l.granted
  AND l.database = {_HERE}
"""  # noqa: S608 - made of constants
# Whoever made a wait for a lock time out has been in a transaction for at least as long. Its query is shown
# without the texts in it: they may be session keys or hashes.
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
# A client that vanished must not keep the lock: the server notices it after about ten seconds.
_OPTIONS = (
    "-c statement_timeout=0 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
)
_OTHERS_HOLD_LOCKS = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


class MigrationSession(DatabaseWrapper):
    """One connection, outside the pool and past any pooler, without a statement limit."""

    pool = None
    _was_connected = False

    def get_connection_params(self) -> dict[str, Any]:
        """Return the address of `DATABASE_DIRECT_URL`, if that is set, with the limits of a migration."""
        own: dict[str, Any] = super().get_connection_params() | self.settings_dict.get("DIRECT", {})
        limits = f"{_OPTIONS} -c lock_timeout={LOCK_TIMEOUT_S * 1000:.0f}"
        return own | {
            "application_name": f"migrate {os.getpid()}@{socket.gethostname()}"[:63],
            "options": f"{own.get('options', '')} {limits}".strip(),
        }

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect once: a second session would go on without the lock of the first.

        Raises:
            OperationalError: it was connected before.
        """
        if self._was_connected:
            raise OperationalError("The session that migrates was lost, and its lock with it: migrate again.")
        connection = super().get_new_connection(conn_params)
        self._was_connected = True
        return connection

    def limit_lock_waits(self, *, limited: bool = True) -> None:
        """Let further statements wait for a lock for `LOCK_TIMEOUT_S` at most, or for as long as it takes."""
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
    """Wait until no other process migrates; inside, Django's connection `using` is the one that may."""
    outer = connections[using]
    if isinstance(outer, MigrationSession):  # `prepare` runs `migrate`
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
    """Whether a statement failed only because of what other sessions do at the moment."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, _OTHERS_HOLD_LOCKS)


def _lock(session: MigrationSession, stdout: OutputWrapper) -> None:
    """Take the lock, however long it takes.

    It asks again and again, as a session that waits inside `pg_advisory_lock` has a snapshot, and the
    holder's CREATE INDEX CONCURRENTLY would wait for that in its turn.
    """
    say_s = time.monotonic() + _SILENT_S
    with session.cursor() as cursor:
        while not _try(session, cursor):
            if time.monotonic() >= say_s:
                say_s = time.monotonic() + _REPEAT_S
                stdout.write(_whom_it_waits_for(cursor))
                stdout.flush()
            time.sleep(_POLL_S)


def _try(session: MigrationSession, cursor: Any) -> bool:
    cursor.execute(_LOCK, _KEY)
    locked, pid = cursor.fetchone()
    if pid != session.connection.info.backend_pid:
        raise CommandError(
            "Behind this address each statement may get another session, so that no lock would hold."
            " Set DATABASE_DIRECT_URL to the database's own address."
        )
    return bool(locked)


def _whom_it_waits_for(cursor: Any) -> str:
    cursor.execute(_HOLDER, _KEY)
    name, pid, user, age = cursor.fetchone() or ("another migration", "?", "?", 0)
    return f"Waiting for {name} to end its work on this database: session {pid} of {user}, for {age:.0f} s."
