"""A database server and scheduler processes that tests can stop and kill."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import psutil
import psycopg

from tests import pg_ctl
from tests.databases import Database, copy
from tests.forked import Command
from tradingsite.embedded_postgres.server import EmbeddedPostgres
from tradingsite.jobs.job_metric import JobMetric

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60
GRACE_S = 30
TABLES = (
    "job_state",
    "job_event",
    "job_hour",
    "scheduler_heartbeat",
    "scheduler_process",
    "django_apscheduler_djangojob",
    "health_state",
    "health_sample",
    "health_hour",
    "health_transition",
)


class DatabaseServer:
    """A database server with a migrated database, which can be stopped and started again."""

    def __init__(self, folder, template=None):
        """Start a server with a copy of `template`; without it, run the migrations, which takes longer."""
        self.folder = folder / "data"
        self.server = EmbeddedPostgres(self.folder, {"fsync": "off", "max_connections": "40"})
        self.url = f"postgresql://postgres@/postgres?host={self.server.use()}"
        self.env = {
            **os.environ,
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "tests.jobs.scheduler_settings",
        }
        if template:
            copy(template, Database(self.url))
        else:
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
                cwd=ROOT, env={**self.env, "SCALED": "QUICK", "LIMITS": "BRISK"}, check=True,
            )  # fmt: skip
        self.query("CREATE TABLE scaled_run (job text, pid int, tick timestamptz)")

    def stop(self, how="fast"):
        pg_ctl.stop(self.server, how)

    def start(self):
        self.server.doubt()
        self.server.use()

    def empty(self):
        self.query(f"TRUNCATE scaled_run, {', '.join(TABLES)} CASCADE")

    def freeze(self):
        """Suspend every process of the server; return a function that resumes them."""
        postmaster = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        postmaster.suspend()  # first, so that it forks no more
        frozen = [postmaster, *postmaster.children()]
        for process in frozen:
            process.suspend()

        def thaw():
            for process in frozen:
                process.resume()

        return thaw

    def query(self, statement, *parameters):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def runs(self, job):
        """Return (tick, pid) of every run, as the job itself recorded it."""
        return self.query("SELECT tick, pid FROM scaled_run WHERE job = %s ORDER BY ctid", job)

    def ticks(self, job):
        rows = self.query("SELECT tick FROM scaled_run WHERE job = %s ORDER BY ctid", job)
        return [tick for (tick,) in rows]


class Scheduler:
    """`manage.py runscheduler` with a scaled timetable and limits, or `tests.jobs.faults` with `fault`."""

    def __init__(self, db_server, timetable, *, slow_s=1.0, limits="BRISK", fault=None, **environ):
        env = {
            "SCALED": timetable,
            "LIMITS": limits,
            "SLOW_S": str(slow_s),
            "SCHEDULER_GRACE_S": str(GRACE_S),
            "LOG_FORMAT": "json",
            **environ,
        }
        words = ("-m", "tests.jobs.faults", fault) if fault else ("manage.py", "runscheduler")
        self.process = Command(*words, env={**db_server.env, **env})
        self.lines = []
        self._arrived: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.output:
            self.lines.append(line)
            self._arrived.put(line)

    def until(self, text):
        """Return the next line that contains `text`."""
        deadline = time.monotonic() + WITHIN_S
        while text not in (line := self._arrived.get(timeout=max(deadline - time.monotonic(), 0))):
            pass
        return line

    def metrics(self, job):
        found = (
            JobMetric.model_validate_json(line) for line in self.lines if line.startswith('{"metric_type"')
        )
        return [metric for metric in found if metric.job_name == job]

    def runs_of(self, job):
        return [metric for metric in self.metrics(job) if "skipped" not in (metric.error or "")]

    def end(self, how=signal.SIGTERM):
        """Send a signal; return the exit code and the seconds until the process had ended."""
        began = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(WITHIN_S)
        took_s = time.monotonic() - began
        self._reader.join(WITHIN_S)
        return code, took_s

    def wait(self):
        """Return the exit code of a process that ends by itself."""
        return self.process.wait(WITHIN_S)

    def close(self):
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self._reader.join(WITHIN_S)
        self.process.output.close()
        print(*self.lines[-40:], sep="")  # noqa: T201 - pytest shows it when the test has failed


def wait_for(db_server, query, *parameters):
    """Wait until the query returns a row."""
    deadline = time.monotonic() + WITHIN_S
    while not db_server.query(query, *parameters):
        assert time.monotonic() < deadline, query
        time.sleep(0.02)


def steps(ticks):
    return {later - earlier for earlier, later in pairwise(ticks)}
