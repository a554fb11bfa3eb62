"""Databases of a test's own, on the suite's server."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from tradingsite.embedded_postgres.programs import binaries

WITHIN_S = 60


class Database:
    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def name(self) -> str:
        return self.url.split("/")[3].split("?")[0]

    def connect(self, **parameters):
        return psycopg.connect(self.url, **parameters)

    def query(self, statement, *parameters):
        with self.connect(autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, query, *parameters):
        """Wait until the query returns a row."""
        deadline = time.monotonic() + WITHIN_S
        while not self.query(query, *parameters):
            assert time.monotonic() < deadline, query
            time.sleep(0.02)


def copy(source: Database, target: Database) -> None:
    """Copy all of a database into an empty one, which may be on another server."""
    psql: list[str | Path] = [binaries() / "psql", "-qo", os.devnull, "-v", "ON_ERROR_STOP=1", target.url]
    with subprocess.Popen([binaries() / "pg_dump", source.url], stdout=subprocess.PIPE) as dumping:
        subprocess.run(psql, stdin=dumping.stdout, check=True)


class Databases:
    """Creates databases on one server. `prefix` keeps the workers of one run apart."""

    def __init__(self, host: Path, prefix: str, migrated: str = "") -> None:
        """Create none yet.

        Args:
            host: the folder of the server's socket.
            prefix: of the names.
            migrated: the name of a database as `migrate` leaves it, with no session open.
        """
        self._host, self._prefix, self._migrated = host, prefix, migrated
        self._created: list[Database] = []

    def create(self, template: Database | None = None) -> Database:
        """Return a new database: an empty one, or a copy of another."""
        return self._create(template.name if template else "template1")

    def migrated(self) -> Database:
        """Return a new database as `migrate` leaves it; that takes 50 ms."""
        return self._create(self._migrated)

    def name(self) -> str:
        """Return the name of a database that does not exist yet; `drop` drops it."""
        name = f"{self._prefix}_{len(self._created) + 1}"
        self._created.append(self.at(name))
        return name

    def at(self, name: str) -> Database:
        return Database(f"postgresql://postgres@/{name}?host={self._host}")

    def drop(self) -> None:
        """Drop what was created, with the sessions in it."""
        for database in self._created:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name)
        self._created.clear()

    def _create(self, template: str) -> Database:
        name = self.name()
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)  # of a run that was killed
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self.at(name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.at("postgres").url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
