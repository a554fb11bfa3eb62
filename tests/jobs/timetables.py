"""Timetables for schedulers inside the test's own process."""

import threading
from datetime import timedelta

from tradingsite.jobs.timetable import ScheduledJob

DAY = timedelta(days=1)

release = threading.Event()
"""`blocking` ends when it is set."""
begun = threading.Event()
"""Set by `blocking`."""


def nothing(_tick):
    return {}


def good(_tick):
    return {"rows": 2, "markets": 1}


def broken(_tick):
    raise RuntimeError("cannot\nwork")


def blocking(_tick):
    begun.set()
    assert release.wait(60)
    return {}


def interrupted(_tick):
    raise KeyboardInterrupt


RARE = tuple(ScheduledJob(body.__name__, DAY, body) for body in (good, broken, blocking, interrupted))
"""None of them comes due during a test."""
AT_ONCE = (ScheduledJob("good", DAY, good, at_once=True),)
EMPTY = (ScheduledJob("good", DAY, nothing),)
