"""`make bench-scheduler`: what a run costs, next to the plain set-up of django-apscheduler, in one run.

Both run the same jobs, which do nothing, on a database of their own. Statements are those that the server
logs, BEGIN and COMMIT included; the time is what the server says they took. SECONDS=30 shortens the windows.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import django
import psutil

from benchmarks.report import measured
from benchmarks.timing import say

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.whole_site import managed  # noqa: E402 - models need Django first
from tests.chaos_scheduler.audit import percentile  # noqa: E402 - as above
from tests.jobs.processes import ROOT, DatabaseServer  # noqa: E402 - as above

OURS = ("manage.py", "runscheduler")
PLAIN = ("-m", "benchmarks.scheduler.plain")
HEALTH_WARM_S = 30
"""While components come up, health looks three times as often."""
WARM_S, WINDOW_S = 5, float(os.environ.get("SECONDS", "60"))
_DURATION = re.compile(r"duration: ([\d.]+) ms\s+(statement|execute)?")


@dataclass
class Setup:
    """A scheduler in a folder of its own. `health`: with the sandbox, all probes and their history."""

    folder: Path
    command: tuple[str, ...]
    timetable: str
    health: bool = False
    process: psutil.Process = field(init=False)

    @property
    def log(self) -> Path:
        return self.folder / "data" / "server.log"

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    def environment(self, db_server: DatabaseServer) -> dict[str, str]:
        return {
            **db_server.env,
            "DJANGO_SETTINGS_MODULE": "benchmarks.scheduler.settings",
            "BENCH_TIMETABLE": self.timetable,
            "BENCH_NOTES": str(self.notes),
            "BENCH_HEALTH": "1" if self.health else "",
            "VAR_DIR": str(self.folder / "var"),
            "LOG_LEVEL": "ERROR",
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it on a new database for the block, warm."""
        (self.folder / "var").mkdir(parents=True)
        self.folder.chmod(0o711)  # a root's server runs as nobody
        db_server = DatabaseServer(self.folder)
        with ExitStack() as processes:
            processes.callback(db_server.stop, "immediate")
            db_server.query("ALTER SYSTEM SET log_min_duration_statement = 0")
            db_server.query("SELECT pg_reload_conf()")
            env = self.environment(db_server)
            if self.health:
                processes.enter_context(managed(env, "sandbox"))
            process = self._start(env)
            processes.callback(process.wait)
            processes.callback(process.kill)
            time.sleep(HEALTH_WARM_S if self.health else WARM_S)
            self.process = psutil.Process(process.pid)
            yield

    def _start(self, env: dict[str, str]) -> "subprocess.Popen[bytes]":
        arguments = [sys.executable, *self.command, *([self.timetable] if self.command == PLAIN else [])]
        return subprocess.Popen(arguments, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)  # noqa: S603 - ours


@dataclass
class Busy:
    """Statements and milliseconds are a run's."""

    runs: int
    statements: float
    database_ms: float
    late_p50_ms: float
    late_p99_ms: float


@dataclass
class Idle:
    """`cpu_pct` is of a core, `statements` are a second's."""

    cpu_pct: float
    statements: float
    memory_mb: float


def busy(setup: Setup) -> Busy:
    """Three jobs a second."""
    with setup.running():
        before, ran = setup.log.stat().st_size, len(setup.notes.read_text().splitlines())
        time.sleep(WINDOW_S)
        lines = setup.log.read_text(errors="replace")[before:].splitlines()
        noted = [line.split() for line in setup.notes.read_text().splitlines()[ran:]]
    took = statements(lines)
    late = lateness_ms([(name, float(at)) for name, at in noted])
    return Busy(
        runs=len(noted),
        statements=sum(1 for _, kind in took if kind) / len(noted),
        database_ms=sum(ms for ms, _ in took) / len(noted),
        late_p50_ms=percentile(late, 0.5),
        late_p99_ms=percentile(late, 0.99),
    )


def statements(lines: list[str]) -> list[tuple[float, str | None]]:
    """Return the milliseconds of each step the server logged, with a kind where it is a whole statement."""
    return [(float(found[1]), found[2]) for line in lines if (found := _DURATION.search(line))]


def lateness_ms(noted: list[tuple[str, float]]) -> list[float]:
    """Return how late each run was: past its job's earliest place within a second, which flatters both."""
    places = defaultdict(list)
    for name, at in noted:
        places[name].append(at % 1)
    late = []
    for found in places.values():
        near_full_second = max(found) - min(found) > 0.5
        shifted = [(place + 0.5) % 1 for place in found] if near_full_second else found
        late += [(place - min(shifted)) * 1000 for place in shifted]
    return late


def idle(setups: list[Setup]) -> list[Idle]:
    """The project's own five intervals, all set-ups at once."""
    with ExitStack() as running:
        for setup in setups:
            running.enter_context(setup.running())
        before = [(_used_s(setup), setup.log.stat().st_size) for setup in setups]
        time.sleep(WINDOW_S)
        return [_idle(setup, *each) for setup, each in zip(setups, before, strict=True)]


def _used_s(setup: Setup) -> float:
    times = setup.process.cpu_times()
    return float(times.user + times.system)


def _idle(setup: Setup, used_s: float, logged: int) -> Idle:
    lines = setup.log.read_text(errors="replace")[logged:].splitlines()
    return Idle(
        cpu_pct=(_used_s(setup) - used_s) / WINDOW_S * 100,
        statements=sum(1 for _, kind in statements(lines) if kind) / WINDOW_S,
        memory_mb=setup.process.memory_info().rss / 1e6,
    )


def main() -> None:
    """Measure ours, the plain set-up, and ours with everything on."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        say(f"{WINDOW_S:g} s with three jobs a second: this scheduler, then plain django-apscheduler ...")
        ours = busy(Setup(folder / "busy", OURS, "BUSY"))
        plain = busy(Setup(folder / "busy-plain", PLAIN, "BUSY"))
        _tell_busy(ours, plain)
        say(f"{WINDOW_S:g} s with five slow jobs: both, and this scheduler with health and its history ...")
        _tell_idle(
            *idle(
                [
                    Setup(folder / "idle", OURS, "FIVE"),
                    Setup(folder / "idle-plain", PLAIN, "FIVE"),
                    Setup(folder / "all-on", OURS, "FIVE", health=True),
                ]
            )
        )


def _tell_busy(ours: Busy, plain: Busy) -> None:
    took = f"database time a run: {ours.database_ms:.2f} ms, plain {plain.database_ms:.2f} ms"
    measured("scheduler.statements", ours.statements, plain.statements, took)
    medians = f"p50: {ours.late_p50_ms:.1f} ms, plain {plain.late_p50_ms:.1f} ms; {ours.runs} runs"
    measured("scheduler.late", ours.late_p99_ms, plain.late_p99_ms, medians)


def _tell_idle(ours: Idle, plain: Idle, all_on: Idle) -> None:
    measured("scheduler.cpu", ours.cpu_pct, plain.cpu_pct, f"with health on: {all_on.cpu_pct:.2f} %")
    measured("scheduler.idle", ours.statements, plain.statements)
    measured("scheduler.all_on", all_on.statements, plain.statements)
    measured(
        "scheduler.memory", ours.memory_mb, plain.memory_mb, f"with health on: {all_on.memory_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
