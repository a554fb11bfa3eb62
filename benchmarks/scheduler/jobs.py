"""Jobs that do nothing but note when they ran, in a file: no statement of theirs is counted."""

import os
import time
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from tradingsite.jobs.timetable import ScheduledJob


def note(name: str, _tick: datetime | None = None) -> dict[str, int]:
    """Append one line, in one write."""
    with Path(os.environ["BENCH_NOTES"]).open("a") as notes:
        notes.write(f"{name} {time.time():.6f}\n")
    return {}


def _job(name: str, seconds: float, phase_s: float) -> ScheduledJob:
    return ScheduledJob(name, timedelta(seconds=seconds), partial(note, name), phase_s=phase_s, deadline_s=8)


BUSY = tuple(_job(f"every_second_{number}", 1, number / 3) for number in range(3))
FIVE = (
    _job("collect", 10, 0),
    _job("volatility", 30, 5),
    _job("sync", 300, 48),
    _job("signal", 1800, 12),
    _job("cleanup", 86400, 9),
)
