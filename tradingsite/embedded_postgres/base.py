"""Django's PostgreSQL backend, with a server that starts by itself and a pool that survives its restarts.

Settings beyond Django's: `EMBEDDED_DIR` (the data folder, or None for a server named by HOST),
`EMBEDDED_RELOCATABLE` (whether the data may be elsewhere if PostgreSQL may not enter that folder) and
`EMBEDDED_SETTINGS` (parameters of the embedded server). Django itself rejects a server older than 14.
"""

import os
from typing import Any, ClassVar

import psycopg
from django.db import connections
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool, PoolTimeout

from tradingsite.embedded_postgres.client import DatabaseClient
from tradingsite.embedded_postgres.creation import DatabaseCreation
from tradingsite.embedded_postgres.server import EmbeddedPostgres, embedded_server


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL, checked when it comes out of the pool.

    A thread that ends without `connections.close_all()` never returns its connection: use try/finally.
    """

    client_class = DatabaseClient
    creation_class = DatabaseCreation
    _connection_pools: ClassVar[dict[str, ConnectionPool]] = {}
    _inherited: ClassVar[list[object]] = []
    _limited: Any = None
    """The connection whose limit `limit_statements` has changed."""

    @property
    def server(self) -> EmbeddedPostgres | None:
        """This process's embedded server; None when the database is on another server."""
        data = self.settings_dict.get("EMBEDDED_DIR")
        if data is None:
            return None
        return embedded_server(
            data,
            frozenset(self.settings_dict.get("EMBEDDED_SETTINGS", {}).items()),
            relocatable=self.settings_dict.get("EMBEDDED_RELOCATABLE", False),
        )

    def get_connection_params(self) -> dict[str, Any]:
        """Return the parameters to connect with; an embedded server is started if it is not running.

        Raises:
            EmbeddedPostgresError: it cannot be started.
        """
        if server := self.server:
            self.settings_dict["HOST"] = str(server.use())
            self.settings_dict["PORT"] = "5432"
        return super().get_connection_params()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that works, from the pool if there is one."""
        connection = self._checkout(conn_params)
        if self.pool and not _works(connection):
            # The server was restarted, or is down, so the idle connections are broken too. The pool's own
            # check would find them one by one, with a growing pause after each.
            self.pool.putconn(connection)
            self._doubt_server()
            self.get_connection_params()
            self.pool.drain()
            connection = self._checkout(conn_params)
        return connection

    def limit_statements(self, within_s: float) -> None:
        """Limit every further statement on the current connection, until it is returned to the pool."""
        with self.wrap_database_errors:
            self.connection.execute(f"SET statement_timeout = {max(1, round(within_s * 1000))}")
        self._limited = self.connection

    def restore_statement_limit(self) -> None:
        """Undo `limit_statements`.

        If that fails the connection is closed, so that no other user gets the limit.
        """
        connection, self._limited = self._limited, None
        if connection is None or connection.closed:
            return
        try:
            if not self.in_atomic_block:
                connection.rollback()  # inside a transaction, RESET would be undone at its end
            connection.execute("RESET statement_timeout")
        except psycopg.Error:
            connection.close()

    def _close(self) -> None:
        self.restore_statement_limit()
        super()._close()  # type: ignore[misc]  # missing in the stubs

    def close_pool(self) -> None:
        """Close the pool if there is one; Django's own method would first create it, and start the server."""
        if self.alias in self._connection_pools:
            super().close_pool()

    @classmethod
    def forget_inherited_connections(cls) -> None:
        """Forget connections and pools in a forked child: sockets and threads belong to the parent.

        References are kept, since the destructor of a pool would wait for its threads.
        """
        cls._inherited.extend(cls._connection_pools.values())
        cls._connection_pools.clear()
        for wrapper in connections.all(initialized_only=True):
            if isinstance(wrapper, cls):
                cls._inherited.append(wrapper.connection)
                wrapper.connection = None

    def _checkout(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except PoolTimeout as error:
            self._doubt_server()
            raise PoolTimeout(self._pool_timeout_text()) from error
        except psycopg.OperationalError:
            self._doubt_server()
            raise

    def _pool_timeout_text(self) -> str:
        stats = self.pool.get_stats()
        waited = f"No database connection within {self.pool.timeout:g} s"
        if stats["pool_size"] < stats["pool_max"]:
            return f"{waited}: the server gives none."
        return f"{waited}: all {stats['pool_max']} are in use or being reconnected."

    def _doubt_server(self) -> None:
        if server := self.server:
            server.doubt()


def _works(connection: Any) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return False
    return True


os.register_at_fork(after_in_child=DatabaseWrapper.forget_inherited_connections)
