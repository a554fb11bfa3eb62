"""Every job of the timetable is listed in README.md and docs/scheduler.md and has a test."""

import re
from datetime import timedelta
from pathlib import Path

from tradingsite.jobs.timetable import SCHEDULE

ROOT = Path(__file__).resolve().parents[2]
UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}


def test_docs_list_every_job_with_its_interval_and_limits():
    table = (ROOT / "docs/scheduler.md").read_text().split("\n## The jobs\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) (s|min|h) \| [^|]+ \| (\S+) s, (\S+) s \|", table, re.MULTILINE)

    assert [
        (name, int(number) * UNITS[unit], float(deadline), float(limit))
        for name, number, unit, deadline, limit in rows
    ] == [(job.name, job.every, job.deadline_s, job.hard_limit_s) for job in SCHEDULE]


def test_readme_lists_every_job():
    listed = (ROOT / "README.md").read_text().split("\nJobs: ")[1].split("\n\n")[0]

    assert {job.name for job in SCHEDULE} <= set(re.findall(r"`(\w+)`", listed))


def test_every_job_is_run_by_a_test():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests/jobs").rglob("test_*.py"))

    assert {job.name for job in SCHEDULE} - set(re.findall(r"\btasks\.(\w+)", tests)) == set()
