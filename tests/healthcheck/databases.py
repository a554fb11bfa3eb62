"""The suite's own PostgreSQL server, put into the states that a health check is for."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import psutil
import psycopg
from django.db import connection

from tradingsite.embedded_postgres.base import DatabaseWrapper


@contextmanager
def another_session() -> Iterator[psycopg.Connection[Any]]:
    """A session beside Django's, on the test database."""
    params = connection.get_connection_params()
    known = {name: params[name] for name in ("host", "port", "dbname", "user") if params.get(name)}
    with psycopg.connect(**known) as session:
        yield session


def pooled() -> DatabaseWrapper:
    return cast("DatabaseWrapper", connection)


@contextmanager
def unreachable(empty_folder: Path) -> Iterator[None]:
    """No server answers this process any more, and none is started."""
    connection.close()
    pooled().close_pool()
    before = dict(connection.settings_dict)
    connection.settings_dict |= {"EMBEDDED_DIR": None, "HOST": str(empty_folder), "PORT": "5432"}
    try:
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
        yield
    finally:
        _signal_all([*processes, *postmaster.children()], signal.SIGCONT)


def _signal_all(processes: list[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
