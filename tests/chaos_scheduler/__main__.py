"""`make chaos-scheduler`: the leader of several schedulers is killed again and again. Exits 1 on a violation.

python -m tests.chaos_scheduler --kills 100 --seed 7
python -m tests.chaos_scheduler --kills 5 --variant unfenced    # exits 1 unless its doubled runs are found
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from tests.chaos_scheduler import audit, fleet  # noqa: E402 - models need Django first
from tests.chaos_scheduler.timetable import SCHEDULE  # noqa: E402 - as above

REPORT_EVERY_S = 10
CALM_S = 20
LONGEST_FAILOVER_S = 5.0
SIZE = fleet.SIZE + 1
"""One more, since the process killed last may still be starting."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ours(folder: Path, kills: int, seed: int, variant: str) -> list[str]:
    """Kill the leader `kills` times; print the report and return the violations."""
    rng, schedulers, failovers = fleet.seeded_rng(seed), fleet.Fleet(folder, variant=variant, size=SIZE), []
    try:
        _, begin = schedulers.leader()
        reported_s = time.monotonic()
        for number in range(kills):
            failovers.append(schedulers.kill_leader(rng))
            if time.monotonic() - reported_s > REPORT_EVERY_S:
                reported_s = time.monotonic()
                say(f"  {number + 1} of {kills} leaders killed")
        end = schedulers.settle()
        runs = [run for run in schedulers.runs() if begin <= run.tick <= end]
    finally:
        schedulers.close()
    due = {
        job.name: audit.grid(job.every, job.phase_s, begin + audit.STARTED_LATE_BY, end) for job in SCHEDULE
    }
    every_tick = {job.name: audit.grid(job.every, job.phase_s, begin, end) for job in SCHEDULE}
    doubled, strays = audit.duplicates(runs), audit.off_the_grid(runs, every_tick)
    lost, missing = audit.missed(runs, due, failovers)
    leads = [each.leads_after_s for each in failovers]
    first = [each.runs_after_s for each in failovers]
    say(
        f"this scheduler, {kills} kills of a leader with {fleet.STANDBYS} or {fleet.STANDBYS + 1} standbys,"
        f" {(end - begin).seconds} s"
    )
    say(f"  runs recorded by the jobs    {len(runs)} of {sum(map(len, due.values()))} ticks")
    say(f"  run more than once           {len(doubled)}")
    say(f"  missed while a leader lived  {len(missing)}")
    say(f"  missed in a failover         {lost} (one a job and failover, and one more a whole interval)")
    say(f"  unexpected exits             {schedulers.unexpected_exits}")
    say(f"  next leader after            p50 {_p(leads, 0.5)}  p99 {_p(leads, 0.99)}  (bar: p99 <= 5 s)")
    say(f"  its first run after          p50 {_p(first, 0.5)}  p99 {_p(first, 0.99)}")
    slow = [f"a failover took {each:.1f} s" for each in leads if each > LONGEST_FAILOVER_S]
    return doubled + strays + missing + slow


def plain(folder: Path, kills: int, seed: int) -> None:
    """Kill processes of plain django-apscheduler likewise, and print its report."""
    rng, schedulers = fleet.seeded_rng(seed), fleet.Fleet(folder, fleet.PLAIN_APSCHEDULER)
    began = time.monotonic()
    try:
        time.sleep(CALM_S)
        for _ in range(kills):
            schedulers.kill_any(rng)
        runs, took_s = schedulers.runs(), time.monotonic() - began
    finally:
        schedulers.close()
    due = sum(int(took_s / job.every.total_seconds()) for job in SCHEDULE)
    twice = audit.run_twice(runs, {job.name: job.every for job in SCHEDULE})
    say(f"plain django-apscheduler, {kills} kills among {fleet.SIZE} processes, {took_s:.0f} s")
    say(f"  runs recorded by the jobs    {len(runs)} of {due} intervals")
    say(f"  run more than once           {twice}")
    say(f"  unexpected exits             {schedulers.unexpected_exits}")


def _p(values: list[float], share: float) -> str:
    return f"{audit.percentile(values, share):.2f} s"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another one each time")
    parser.add_argument("--variant", choices=["unfenced"], default="", help="broken on purpose")
    given = parser.parse_args()
    say(f"seed {given.seed}, {given.kills} kills, {given.variant or 'the project itself'}")
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "ours").mkdir(mode=0o711)
        wrong = ours(folder / "ours", given.kills, given.seed, given.variant)
        if given.variant:
            found = any("times" in line for line in wrong)
            say(f"the broken variant was {'found out' if found else 'NOT found out'}")
            return 0 if found else 1
        say(f"  violations                   {len(wrong)}")
        for line in wrong[:20]:
            say(f"    {line}")
        (folder / "plain").mkdir(mode=0o711)
        plain(folder / "plain", max(2, given.kills // 10), given.seed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
