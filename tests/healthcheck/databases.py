"""The suite's own PostgreSQL server, made unreachable or frozen."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import psutil
import psycopg
from django.db import connection
from psycopg_pool import ConnectionPool

from healthcheck import probes
from healthcheck.engine.engine import engine
from healthcheck.engine.shared_results import SharedResult
from tradingsite.embedded_postgres.base import DatabaseWrapper


@contextmanager
def another_session() -> Iterator[psycopg.Connection[Any]]:
    """A session of its own on the test database."""
    params = connection.get_connection_params()
    known = {name: params[name] for name in ("host", "port", "dbname", "user") if params.get(name)}
    with psycopg.connect(**known) as session:
        yield session


def pooled() -> DatabaseWrapper:
    return cast("DatabaseWrapper", connection)


def in_use(pool: ConnectionPool[Any]) -> int:
    """Return how many connections of `pool` are taken."""
    stats = pool.get_stats()
    return stats.get("pool_size", 0) - stats.get("pool_available", 0)


@contextmanager
def gives_up_soon() -> Iterator[None]:
    """This process's engine and the database's probe wait for the database only a moment."""
    asking = engine()
    shared = [slot._work._bounded for slot in asking._slots.values() if isinstance(slot._work, SharedResult)]
    limited = [(each, each._limit_s) for each in (asking.bounded, *shared)]
    pool_wait_s, probes._POOL_WAIT_S = probes._POOL_WAIT_S, 0.2
    for each, _ in limited:
        each._limit_s = 0.2
    try:
        yield
    finally:
        probes._POOL_WAIT_S = pool_wait_s
        for each, limit_s in limited:
            each._limit_s = limit_s


@contextmanager
def unreachable(empty_folder: Path) -> Iterator[None]:
    """No server answers this process any more, and none is started."""
    connection.close()
    pooled().close_pool()
    before = dict(connection.settings_dict)
    connection.settings_dict |= {"EMBEDDED_DIR": None, "HOST": str(empty_folder), "PORT": "5432"}
    try:
        with gives_up_soon():
            yield
    finally:
        connection.close()
        pooled().close_pool()
        connection.settings_dict |= {name: before[name] for name in ("EMBEDDED_DIR", "HOST", "PORT")}


@contextmanager
def frozen() -> Iterator[None]:
    """Every process of the server is stopped: connections stay open, and nothing answers."""
    pid_file = pooled().server.data / "postmaster.pid"
    postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
    processes = [postmaster, *postmaster.children()]
    _signal_all(processes, signal.SIGSTOP)
    try:
        with gives_up_soon():
            yield
    finally:
        _signal_all([*processes, *postmaster.children()], signal.SIGCONT)


def _signal_all(processes: list[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
