"""Scheduler processes on one database, each restarted when it ends, for a test that kills the leader."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg

from tests.chaos_scheduler.audit import Failover, Run
from tests.chaos_scheduler.timetable import TABLE
from tests.jobs.processes import ROOT, DatabaseServer

STANDBYS = 2
"""A leader is killed only while it has at least this many."""
SIZE = 1 + STANDBYS
WITHIN_S = 60
PROJECT_SCHEDULER = ("manage.py", "runscheduler")
PLAIN_APSCHEDULER = ("-m", "tests.chaos_scheduler.plain")


class Fleet:
    """Starts the database server and the processes; `close` ends them all."""

    def __init__(self, folder, command=PROJECT_SCHEDULER, variant="", size=SIZE):
        self.db_server = DatabaseServer(folder)
        self.db_server.query(TABLE)
        self.db_server.query("CREATE TABLE chaos_load (at timestamptz)")
        self.command = command
        self.env = {
            **self.db_server.env,
            "DJANGO_SETTINGS_MODULE": "tests.chaos_scheduler.settings",
            "VAR_DIR": str(folder),
            "SCHEDULER_GRACE_S": "5",
            "LOG_LEVEL": "ERROR",
            "CHAOS_VARIANT": variant,
        }
        self.unexpected_exits = 0
        self._killed: set[int] = set()
        self._stopping = threading.Event()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [threading.Thread(target=self._keep_one_running) for _ in range(size)]
        self._threads.append(threading.Thread(target=self._generate_load))
        for thread in self._threads:
            thread.start()

    def _keep_one_running(self):
        while not self._stopping.is_set():
            process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=ROOT,
                env=self.env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._running[process.pid] = process
            process.wait()
            del self._running[process.pid]
            if process.pid not in self._killed and not self._stopping.is_set():
                self.unexpected_exits += 1

    def _generate_load(self):
        """Keep the server and a core busy, as other work on the machine would."""
        with psycopg.connect(self.db_server.url, autocommit=True) as connection:
            while not self._stopping.is_set():
                connection.execute("INSERT INTO chaos_load SELECT now() FROM generate_series(1, 200)")
                connection.execute("TRUNCATE chaos_load")
                self._stopping.wait(0.01)

    def leader(self, other_than=None):
        """Wait for a leader that did not begin at `other_than`; return its process id and when it began."""
        until = time.monotonic() + WITHIN_S
        with psycopg.connect(self.db_server.url, autocommit=True) as connection:
            while time.monotonic() < until:
                row = connection.execute("SELECT pid, acquired_at FROM scheduler_heartbeat").fetchone()
                if row and row[0] in self._running and row[1] != other_than:
                    return row
                time.sleep(0.01)
        raise TimeoutError("no scheduler leads")

    def kill(self, pid):
        """Send SIGKILL and return the time."""
        self._killed.add(pid)
        with suppress(ProcessLookupError):  # the process has just ended
            os.kill(pid, signal.SIGKILL)
        return datetime.now(UTC)

    def kill_leader(self, rng):
        """Kill the leader after a random time; return when the next one leads and runs its first job."""
        pid, since = self.leader()
        self._wait_for_first_run(since)
        self._wait_for_standbys(pid)
        time.sleep(rng.uniform(0.1, 2.5))
        killed_at = self.kill(pid)
        _, leads_at = self.leader(other_than=since)
        return Failover(killed_at, leads_at, self._wait_for_first_run(leads_at))

    def kill_any(self, rng):
        """Kill a random process, for plain django-apscheduler, which has no leader."""
        time.sleep(rng.uniform(2, 4))
        self.kill(rng.choice(list(self._running)))

    def _wait_for_standbys(self, leader):
        """Wait until the standbys have started, so that only the failover is measured and not a start."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            others = self.db_server.query("SELECT pid FROM scheduler_process WHERE pid <> %s", leader)
            if len({pid for (pid,) in others} & self._running.keys()) >= STANDBYS:
                return
            time.sleep(0.02)
        raise TimeoutError("a standby is missing")

    def _wait_for_first_run(self, since):
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            (at,) = self.db_server.query("SELECT min(at) FROM chaos_run WHERE at > %s", since)[0]
            if at is not None:
                return at
            time.sleep(0.02)
        raise TimeoutError("the new leader runs nothing")

    def runs(self):
        """Return the runs that the jobs themselves recorded."""
        return [
            Run(*row) for row in self.db_server.query("SELECT job, pid, tick, at FROM chaos_run ORDER BY at")
        ]

    def settle(self):
        """Wait while the slowest job runs twice more; return the time up to which runs are counted."""
        time.sleep(8)
        return datetime.now(UTC) - timedelta(seconds=2)

    def close(self):
        self._stopping.set()
        for pid in list(self._running):
            self.kill(pid)
        for thread in self._threads:
            thread.join(WITHIN_S)
        self.db_server.stop("immediate")


def seeded_rng(seed):
    """Return the random number generator of a run."""
    return random.Random(seed)  # noqa: S311 - not for secrets
