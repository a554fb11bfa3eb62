"""A server with databases to migrate, and the real commands on them."""

import subprocess
import sys
from pathlib import Path
from time import monotonic

import psycopg

from tests import pg_ctl
from tests.site.processes import own_environ
from tradingsite.embedded_postgres.server import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "tests.upgrade.settings"
WITHIN_S = 60


class Database:
    def __init__(self, url: str) -> None:
        self.url = url

    def connect(self, **parameters):
        return psycopg.connect(self.url, **parameters)

    def ask(self, statement, *parameters):
        with self.connect(autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, question, *parameters):
        deadline = monotonic() + WITHIN_S
        while not self.ask(question, *parameters):
            assert monotonic() < deadline, question

    def start(self, *command, options="", settings="tradingsite.settings"):
        """Start a management command, or a module, on this database."""
        url = f"{self.url}&options={options}" if options else self.url
        return start(*command, DATABASE_URL=url, DJANGO_SETTINGS_MODULE=settings)

    def run(self, *command, **how):
        """Return what it printed."""
        return said(self.start(*command, **how))


class Server:
    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder / "data", {"fsync": "off"})
        self._host = self._server.use()
        self._made = 0

    def create(self, template: Database | None = None) -> Database:
        self._made += 1
        name = f"upgraded_{self._made}"
        source = template.url.split("/")[3].split("?")[0] if template else "template1"
        Database(self._url("postgres")).ask(f"CREATE DATABASE {name} TEMPLATE {source}")
        return Database(self._url(name))

    def stop(self):
        pg_ctl.stop(self._server, "immediate")

    def _url(self, name):
        return f"postgresql://postgres@/{name}?host={self._host}"


def start(*command, **environ):
    words = ["manage.py", *command] if command[0] != "-m" else command
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=own_environ(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(*processes):
    """Return the output of processes that must end well, once all of them have ended."""
    outputs = [process.communicate(timeout=WITHIN_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return "".join(outputs)


def until(process, text):
    """Read a process's output up to a line that contains `text`; return all of it."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
