"""`make bench-scheduler`: what a run costs, next to the plain set-up of django-apscheduler, in one run.

Both run the same jobs, which do nothing, on a database of their own. Statements are those that the server
logs, BEGIN and COMMIT included; the time is what the server says they took.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.chaos_scheduler.audit import percentile  # noqa: E402 - models need Django first
from tests.jobs.processes import ROOT, House  # noqa: E402 - as above

OURS = ("manage.py", "runscheduler")
PLAIN = ("-m", "benchmarks.scheduler_plain")
WARM_S, BUSY_S, IDLE_S = 5, 60, 60
_DURATION = re.compile(r"duration: ([\d.]+) ms\s+(statement|execute)?")


@dataclass
class Figures:
    """What one set-up took. Statements and milliseconds are a run's; `idle_pct` is of a core."""

    runs: int
    statements: float
    database_ms: float
    late_p50_ms: float
    late_p99_ms: float
    idle_pct: float = 0
    idle_statements: float = 0
    """A second."""
    idle_mb: float = 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def running(folder: Path, command: tuple[str, ...], timetable: str) -> Iterator[psutil.Process]:
    """Run a set-up on a new database; its notes and its server's log are in `folder`."""
    folder.mkdir(mode=0o711)
    house = House(folder)
    house.ask("ALTER SYSTEM SET log_min_duration_statement = 0")
    house.ask("SELECT pg_reload_conf()")
    env = {
        **house.env,
        "DJANGO_SETTINGS_MODULE": "benchmarks.scheduler_settings",
        "BENCH_TIMETABLE": timetable,
        "BENCH_NOTES": str(folder / "notes"),
        "LOG_LEVEL": "ERROR",
    }
    arguments = [sys.executable, *command, *([timetable] if command == PLAIN else [])]
    process = subprocess.Popen(arguments, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        time.sleep(WARM_S)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()
        house.stop("immediate")


def busy(folder: Path, command: tuple[str, ...]) -> Figures:
    """Three jobs a second for a minute."""
    with running(folder, command, "BUSY"):
        log, notes = folder / "data" / "server.log", folder / "notes"
        before, ran = log.stat().st_size, len(notes.read_text().splitlines())
        time.sleep(BUSY_S)
        lines = log.read_text(errors="replace")[before:].splitlines()
        noted = [line.split() for line in notes.read_text().splitlines()[ran:]]
    took = statements(lines)
    late = lateness_ms([(name, float(at)) for name, at in noted])
    return Figures(
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


def idle(folder: Path, command: tuple[str, ...], figures: Figures) -> None:
    """The project's own five intervals for a minute: what is used of a core, the server and memory (F38)."""
    with running(folder, command, "FIVE") as process:
        log = folder / "data" / "server.log"
        before, logged = process.cpu_times(), log.stat().st_size
        time.sleep(IDLE_S)
        after, lines = process.cpu_times(), log.read_text(errors="replace")[logged:].splitlines()
        figures.idle_mb = process.memory_info().rss / 1e6
    used_s: float = after.user + after.system - before.user - before.system
    figures.idle_pct = used_s / IDLE_S * 100
    figures.idle_statements = sum(1 for _, kind in statements(lines) if kind) / IDLE_S


def main() -> None:
    """Measure both, print both."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        for label, command in (("this scheduler", OURS), ("plain django-apscheduler", PLAIN)):
            say(f"{label}: {BUSY_S} s with three jobs a second, then {IDLE_S} s with five slow ones ...")
            figures = found[label] = busy(folder / f"busy-{command[-1]}", command)
            idle(folder / f"idle-{command[-1]}", command, figures)
    ours, plain = found.values()
    say(f"\n{'':<26}{'this scheduler':>16}{'plain':>12}{'ratio':>9}   bar")
    for title, key, bar in (
        ("runs", "runs", ""),
        ("statements a run", "statements", "<= 0.7 x"),
        ("database time a run, ms", "database_ms", ""),
        ("start lateness p50, ms", "late_p50_ms", ""),
        ("start lateness p99, ms", "late_p99_ms", "<= 50 ms"),
        ("idle, % of a core", "idle_pct", "< 1 %"),
        ("idle, statements a second", "idle_statements", "<= 5"),
        ("idle, resident memory, MB", "idle_mb", "< 100"),
    ):
        mine, theirs = getattr(ours, key), getattr(plain, key)
        ratio = f"{mine / theirs:.2f} x" if theirs else "-"
        say(f"{title:<26}{mine:>16.2f}{theirs:>12.2f}{ratio:>9}   {bar}")


if __name__ == "__main__":
    main()
