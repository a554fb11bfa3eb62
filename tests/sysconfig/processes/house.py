"""A database server of its own and processes that read settings from it."""

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

from tests.jobs import processes
from tests.jobs.processes import ROOT
from tests.sysconfig.processes.proxy import Proxy

KEY = "t_watched"
WITHIN_S = 30  # a process that starts on a busy machine


class House(processes.House):
    """A migrated database, reached directly, or for what listens through a proxy."""

    def __init__(self, folder):
        super().__init__(folder)
        self.ask("CREATE TABLE read_by_job (pid int, value text, at timestamptz DEFAULT clock_timestamp())")
        self.ask("INSERT INTO system_config (key, value) VALUES (%s, '0')", KEY)
        self.proxy = Proxy(str(self.server.use() / ".s.PGSQL.5432"))
        through = f"postgresql://postgres@127.0.0.1:{self.proxy.port}/postgres?sslmode=disable"
        self.env |= {
            "DJANGO_SETTINGS_MODULE": "tests.sysconfig.processes.settings",
            "DATABASE_DIRECT_URL": through,
            "HEALTH_TOKEN": "a-token-for-monitors",
            "SECRET_KEY": "for-these-processes-only-and-long-enough-to-be-taken-0123456789",
        }
        self.value = 0

    def edit(self, before="SELECT 1"):
        """Change the watched setting past Django; return its new text and the moment before the commit."""
        self.value += 1
        with psycopg.connect(self.url) as connection:
            connection.execute(before)
            connection.execute("UPDATE system_config SET value = %s WHERE key = %s", [str(self.value), KEY])
            before_s = time.monotonic()
            connection.commit()
        return str(self.value), before_s

    def close(self):
        self.proxy.close()
        self.stop()


@contextmanager
def housed():
    """Build a house for the block, in a folder that a root's server, which runs as nobody, may enter."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o711)
        house = House(place)
        try:
            yield house
        finally:
            house.close()


class Reader:
    """`reader.py` as a process, and a fork of it if it is told to fork."""

    def __init__(
        self,
        house: House,
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
            env=house.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = self.process.pid
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self.until(value=str(house.value))

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def tell(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")

    def until(self, timeout_s=WITHIN_S, **expected):
        """Return the next line that says all of this. Raises TimeoutError."""
        ends_s = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, ends_s - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"never said in {timeout_s:g} s: {expected}") from None
            if expected.items() <= line.items():
                return line

    def seen(self, value: str, timeout_s: float = WITHIN_S, pid: int | None = None) -> tuple[float, float]:
        """Wait until the process reads this value; return when, and when it last read another one."""
        line = self.until(timeout_s, value=value, pid=pid or self.pid)
        return line["at_s"], line["old_until_s"]

    def send(self, how):
        os.kill(self.pid, how)

    def close(self) -> None:
        self.process.stdin.close()  # forks have it too, and go with their parent
        self.send(signal.SIGCONT)
        self.process.wait(WITHIN_S)
        self._thread.join(WITHIN_S)
        self.process.stdout.close()
