"""The database probe. It works for any Django site on PostgreSQL."""

from collections.abc import Set as AbstractSet
from functools import cache
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import cast

from django.apps import apps
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext_noop
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.errors import QueryCanceled, UndefinedTable
from psycopg_pool import ConnectionPool, PoolTimeout

from healthcheck.report import Finding

# Together below the probe's timeout of 2 s, so that the finding can say which limit was hit.
_POOL_WAIT_S = 1.0
_READ_LIMIT_S = 0.8

Migration = tuple[str, str]


def database() -> Finding:
    """Read a real table within limits; warn about pending migrations and a read-only server."""
    try:
        _wait_for_pool()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_READ_LIMIT_S * 1000:.0f}")
            cursor.execute("SELECT current_setting('transaction_read_only') = 'on'")
            (read_only,) = cursor.fetchone()
            applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    except PoolTimeout:
        return _pool_timed_out()
    except OperationalError as error:
        return _failed(error)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, UndefinedTable):
            raise
        read_only, applied = False, set()
    return _judged(applied, read_only=read_only)


def _wait_for_pool() -> None:
    """Fail early when the pool has no free connection: a request would wait longer than a probe may."""
    if pool := _pool():
        pool.open()
        pool.putconn(pool.getconn(timeout=_POOL_WAIT_S))


def _pool() -> ConnectionPool | None:
    return getattr(connection, "pool", None)


def _pool_timed_out() -> Finding:
    """Tell an exhausted pool from a server that is down: the pool raises the same error for both."""
    pool = cast("ConnectionPool", _pool())
    params = connection.get_connection_params()
    known = ("host", "port", "dbname", "user", "connect_timeout", "sslmode")
    conninfo = make_conninfo(**{name: params[name] for name in known if params.get(name)})
    if pq.PGconn.ping(conninfo.encode()) != pq.Ping.OK:
        return Finding("unhealthy", gettext_noop("no connection: the server is down or unreachable"))
    return Finding(
        "unhealthy",
        gettext_noop("no free connection within %(wait_s)g s: all %(size)d of this process are in use"),
        wait_s=_POOL_WAIT_S,
        size=pool.max_size,
    )


def _failed(error: OperationalError) -> Finding:
    if isinstance(error.__cause__, QueryCanceled):
        return Finding(
            "unhealthy",
            gettext_noop("a small read took over %(limit_s)g s: a lock, or the server is overloaded"),
            limit_s=_READ_LIMIT_S,
        )
    return Finding("unhealthy", gettext_noop("no connection: the server is down or unreachable"))


def _judged(applied: AbstractSet[Migration], *, read_only: bool) -> Finding:
    if pending := sorted(_pending(applied)):
        return Finding(
            "warning",
            gettext_noop("%(count)d migrations are not applied (first: %(first)s): run migrate"),
            count=len(pending),
            first=".".join(pending[0]),
        )
    if read_only:
        return Finding("warning", gettext_noop("the server is read-only: a standby, or set so"))
    version = cast("DatabaseWrapper", connection).pg_version
    return Finding(
        "healthy",
        gettext_noop("PostgreSQL %(version)s answers; all migrations are applied"),
        version=f"{version // 10000}.{version % 10000}",
    )


def _pending(applied: AbstractSet[Migration]) -> list[Migration]:
    if _on_disk() <= applied:
        return []
    return [
        migration
        for migration, replaced in _with_replaced().items()
        if migration not in applied and not (replaced and replaced <= applied)
    ]


@cache
def _on_disk() -> frozenset[Migration]:
    """Return all migration files. Importing none of them, this takes a millisecond."""
    found: set[Migration] = set()
    for app in apps.get_app_configs():
        name, _ = MigrationLoader.migrations_module(app.label)
        if name and (spec := find_spec(name)) and spec.submodule_search_locations:
            files = iter_modules(spec.submodule_search_locations)
            found |= {(app.label, file.name) for file in files if file.name[0] not in "_~"}
    return frozenset(found)


@cache
def _with_replaced() -> dict[Migration, frozenset[Migration]]:
    """Return every migration with those it replaces. They do not change while the process runs."""
    graph = MigrationLoader(None).graph
    return {key: frozenset(graph.nodes[key].replaces) for key in graph.nodes}
