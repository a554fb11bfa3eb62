"""Timetables for schedulers inside the test's own process."""

import threading
from datetime import timedelta

from tradingsite.jobs.timetable import ScheduledJob

DAY = timedelta(days=1)

release = threading.Event()
"""Lets `held` end."""
begun = threading.Event()
"""Set by `held`."""


def nothing(_tick):
    return {}


def good(_tick):
    return {"rows": 2, "markets": 1}


def broken(_tick):
    raise RuntimeError("cannot\nwork")


def held(_tick):
    begun.set()
    assert release.wait(10)
    return {}


def interrupted(_tick):
    raise KeyboardInterrupt


RARE = tuple(ScheduledJob(body.__name__, DAY, body) for body in (good, broken, held, interrupted))
"""Nothing of it comes due while a test looks."""
AT_ONCE = (ScheduledJob("good", DAY, good, at_once=True),)
EMPTY = (ScheduledJob("good", DAY, nothing),)
