"""Schedulers on one database. One that dies is started again; the leader is killed again and again."""

import os
import queue
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
from tests.jobs.processes import ROOT, House

STANDBYS = 2
"""Of each leader that is killed."""
SIZE = 1 + STANDBYS
WITHIN_S = 60
OURS = ("manage.py", "runscheduler")
PLAIN = ("-m", "tests.chaos_scheduler.plain")


class Fleet:
    """Everything it starts is gone when `close` returns."""

    def __init__(self, folder, command=OURS, variant="", size=SIZE):
        self.house = House(folder)
        self.house.ask(TABLE)
        self.house.ask("CREATE TABLE chaos_load (at timestamptz)")
        self.command = command
        self.env = {
            **self.house.env,
            "DJANGO_SETTINGS_MODULE": "tests.chaos_scheduler.settings",
            "VAR_DIR": str(folder),
            "SCHEDULER_GRACE_S": "5",
            "LOG_LEVEL": "ERROR",
            "CHAOS_VARIANT": variant,
        }
        self.ended_by_themselves = 0
        self._killed: set[int] = set()
        self._stopping = threading.Event()
        self._alive: dict[int, subprocess.Popen[bytes]] = {}
        self._deaths: queue.Queue[None] = queue.Queue()
        self._threads = [threading.Thread(target=self._keep_one_alive) for _ in range(size)]
        self._threads.append(threading.Thread(target=self._load))
        for thread in self._threads:
            thread.start()

    def _keep_one_alive(self):
        while not self._stopping.is_set():
            process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=ROOT,
                env=self.env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._alive[process.pid] = process
            process.wait()
            del self._alive[process.pid]
            if process.pid not in self._killed and not self._stopping.is_set():
                self.ended_by_themselves += 1

    def _load(self):
        """Keep the server and a core busy, as other work on the machine would."""
        with psycopg.connect(self.house.url, autocommit=True) as connection:
            while not self._stopping.is_set():
                connection.execute("INSERT INTO chaos_load SELECT now() FROM generate_series(1, 200)")
                connection.execute("TRUNCATE chaos_load")
                self._stopping.wait(0.01)

    def leader(self, other_than=None):
        """Wait for a leader that was not there before; return its process number and since when it leads."""
        until = time.monotonic() + WITHIN_S
        with psycopg.connect(self.house.url, autocommit=True) as connection:
            while time.monotonic() < until:
                row = connection.execute("SELECT pid, acquired_at FROM scheduler_heartbeat").fetchone()
                if row and row[0] in self._alive and row[1] != other_than:
                    return row
                time.sleep(0.01)
        raise TimeoutError("no scheduler leads")

    def kill(self, pid):
        """Send SIGKILL and return the moment of it."""
        self._killed.add(pid)
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)
        return datetime.now(UTC)

    def kill_leader(self, choose):
        """Let the leader lead for a random while, kill it, and return what followed."""
        pid, since = self.leader()
        self._until_it_runs(since)
        self._until_the_others_are_there(pid)
        time.sleep(choose.uniform(0.1, 2.5))
        killed_at = self.kill(pid)
        _, leads_at = self.leader(other_than=since)
        return Failover(killed_at, leads_at, self._until_it_runs(leads_at))

    def kill_any(self, choose):
        """Kill one of the plain set-up's processes: there is no leader to look for."""
        time.sleep(choose.uniform(2, 4))
        self.kill(choose.choice(list(self._alive)))

    def _until_the_others_are_there(self, leader):
        """A killed scheduler may still be starting; a failover is measured, not a start."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            others = self.house.ask("SELECT pid FROM scheduler_process WHERE pid <> %s", leader)
            if len({pid for (pid,) in others} & self._alive.keys()) >= STANDBYS:
                return
            time.sleep(0.02)
        raise TimeoutError("a standby is missing")

    def _until_it_runs(self, since):
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            (at,) = self.house.ask("SELECT min(at) FROM chaos_run WHERE at > %s", since)[0]
            if at is not None:
                return at
            time.sleep(0.02)
        raise TimeoutError("the new leader runs nothing")

    def runs(self):
        """Return what the bodies noted."""
        return [Run(*row) for row in self.house.ask("SELECT job, pid, tick, at FROM chaos_run ORDER BY at")]

    def settle(self):
        """Let the last leader go on for two rounds of the slowest job; return the moment."""
        time.sleep(8)
        return datetime.now(UTC) - timedelta(seconds=2)

    def close(self):
        self._stopping.set()
        for pid in list(self._alive):
            self.kill(pid)
        for thread in self._threads:
            thread.join(WITHIN_S)
        self.house.stop("immediate")


def chooser(seed):
    """Return what makes the random choices of a run."""
    return random.Random(seed)  # noqa: S311 - not for secrets
