"""Database servers for these tests and the benchmarks, and processes that read settings from them."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command

from tests import pg_ctl
from tests.jobs import processes
from tests.jobs.processes import ROOT
from tests.sysconfig.processes.proxy import Proxy
from tradingsite.embedded_postgres.server import EmbeddedPostgres

KEY = "t_watched"
WITHIN_S = 60  # the limit of waits that are expected to succeed; long enough for a busy machine


class _Watched:
    """A server with one setting that is changed without Django. Listening connections go through a proxy."""

    url: str
    env: dict[str, str]
    server: EmbeddedPostgres

    def watch(self):
        """Add the setting and start the proxy."""
        with psycopg.connect(self.url) as connection:
            connection.execute("INSERT INTO system_config (key, value) VALUES (%s, '0')", [KEY])
        self.value = 0
        self.proxy = Proxy(str(self.server.use() / ".s.PGSQL.5432"))
        direct_url = f"postgresql://postgres@127.0.0.1:{self.proxy.port}/postgres?sslmode=disable"
        self.env |= {
            "DJANGO_SETTINGS_MODULE": "tests.sysconfig.processes.settings",
            "DATABASE_DIRECT_URL": direct_url,
            "HEALTH_TOKEN": "a-token-for-monitors",
            "SECRET_KEY": "for-these-processes-only-and-long-enough-to-be-taken-0123456789",
        }

    def edit(self, before="SELECT 1"):
        """Run `before` and change the setting; return its new text and the time just before the COMMIT."""
        self.value += 1
        with psycopg.connect(self.url) as connection:
            connection.execute(before)
            connection.execute("UPDATE system_config SET value = %s WHERE key = %s", [str(self.value), KEY])
            before_s = time.monotonic()
            connection.commit()
        return str(self.value), before_s


class DatabaseServer(_Watched, processes.DatabaseServer):
    """A server with all tables of the project."""

    def __init__(self, folder):
        super().__init__(folder)
        self.watch()

    def close(self):
        self.proxy.close()
        self.stop()


class SettingsServer(_Watched):
    """A server with the tables of sysconfig only, which takes a quarter of the time.

    Needs the test suite's own database.
    """

    def __init__(self, folder):
        self.server = EmbeddedPostgres(folder / "data", {"fsync": "off", "max_connections": "40"})
        self.url = f"postgresql://postgres@/postgres?host={self.server.use()}"
        self.env = {**os.environ, "DATABASE_URL": self.url}
        for migration in ("0001", "0002"):
            self.query(call_command("sqlmigrate", "sysconfig", migration, no_color=True))
        self.watch()

    def query(self, statement, *parameters):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def stop(self):
        pg_ctl.stop(self.server)

    def start(self):
        self.server.doubt()
        self.server.use()

    def close(self):
        self.proxy.close()
        self.stop()


@contextmanager
def running_server(kind=DatabaseServer):
    """Run a server for the block, in a folder that PostgreSQL's account may enter when root runs this."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o711)
        db_server = kind(place)
        try:
            yield db_server
        finally:
            db_server.close()


class Reader:
    """A process that runs `reader.py`, and its forked child after the command `fork`."""

    def __init__(
        self,
        db_server: _Watched,
        period_s: float,
        anti_entropy_s: float = 60.0,
        variant: str = "",
        pause_s: float = 0.002,
    ) -> None:
        command = [sys.executable, "-m", "tests.sysconfig.processes.reader"]
        words = [str(period_s), str(anti_entropy_s), str(pause_s), *([variant] if variant else [])]
        self.process = subprocess.Popen(
            [*command, *words],
            cwd=ROOT,
            env=db_server.env | {"DJANGO_SETTINGS_MODULE": "tests.sysconfig.processes.reader_settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = self.process.pid
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self.until(value=str(db_server.value))

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def command(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")

    def until(self, timeout_s: float = WITHIN_S, **expected: object) -> dict[str, Any]:
        """Return the next line that has these values. Raises TimeoutError."""
        ends_s = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, ends_s - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no such line in {timeout_s:g} s: {expected}") from None
            if expected.items() <= line.items():
                return line

    def seen(self, value: str, timeout_s: float = WITHIN_S, pid: int | None = None) -> tuple[float, float]:
        """Wait until the process reads this value; return when it does, and when it last read another."""
        line = self.until(timeout_s, value=value, pid=pid or self.pid)
        return line["at_s"], line["old_until_s"]

    def report(self, pid: int | None = None) -> dict[str, Any]:
        """Return the value that the process reads now (`reads`), and its cache's counters."""
        os.kill(pid or self.pid, signal.SIGUSR1)
        return self.until(event="report", pid=pid or self.pid)

    def reads_at(self, moment_s: float) -> str:
        """Wait until this moment of the monotonic clock; return the value that the process reads then."""
        self.command("report-at", str(moment_s))
        return str(self.until(event="report", pid=self.pid)["reads"])

    def send(self, how):
        os.kill(self.pid, how)

    def close(self) -> None:
        self.process.stdin.close()  # forks have it too, and end with their parent
        self.send(signal.SIGCONT)
        self.process.wait(WITHIN_S)
        self._thread.join(WITHIN_S)
        self.process.stdout.close()
