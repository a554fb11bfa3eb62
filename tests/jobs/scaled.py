"""Timetables for schedulers in processes of their own, where a second stands for minutes.

Each job records its runs in the table `scaled_run`, with the tick that the scheduler gave it.
"""

import os
import threading
from dataclasses import replace
from datetime import timedelta

from django.db import OperationalError, connection

from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.timetable import ScheduledJob


def note(name):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scaled_run (job, pid, tick)"
            " SELECT job_name, %s, last_tick FROM job_state WHERE job_name = %s",
            [os.getpid(), name],
        )


def quick(_tick):
    note("quick")
    return {"noted": 1}


def steady(_tick):
    note("steady")
    return {}


def failing(_tick):
    note("failing")
    raise ValueError("first line\nsecond line with api_key=not-for-the-log")


def slow(_tick):
    note("slow")
    threading.Event().wait(float(os.environ["SLOW_S"]))
    return {}


def interrupted(_tick):
    """Hang in the database the first time, until the test ends the session; the second attempt succeeds."""
    if _attempts.count:
        note("interrupted")
        return {"attempts": _attempts.count}
    _attempts.count += 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30) AS interrupted")
    raise AssertionError("the session was not ended")


def blocking(_tick):
    """Run until the test releases the advisory lock."""
    note("blocking")
    with connection.cursor() as cursor:
        # It polls: a wait inside the server would end at the statement limit and be tried again.
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(1)")
        while not cursor.fetchone()[0]:
            threading.Event().wait(0.02)
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(1)")
    return {}


def hung(_tick):
    note("hung")
    threading.Event().wait()
    return {}


def unlucky(_tick):
    """Fail each time with an error that is tried again."""
    note("unlucky")
    raise OperationalError("cannot now")


class _Attempts:
    count = 0


_attempts = _Attempts()

BRISK = Intervals(
    poll_s=0.2,
    beat_every_s=0.5,
    seen_every_s=0.5,
    flush_every_s=1,
    longest_wait_s=1,
    health_look_every_s=0.3,
    watch_every_s=0.1,
    retry_after_s=(0.2, 0.4, 0.8),
)
"""Looks often; its limits are production's, as a busy machine must not reach them."""
SOON_FROZEN = replace(BRISK, frozen_after_s=3, loop_dead_after_s=2)
IN_TURN = replace(BRISK, poll_s=0.1, beat_every_s=0.1)
DEFAULT = Intervals()

QUICK = (ScheduledJob("quick", timedelta(seconds=0.5), quick),)
MIXED = (
    *QUICK,
    ScheduledJob("steady", timedelta(seconds=1), steady, phase_s=0.3),
    ScheduledJob("failing", timedelta(seconds=1), failing, phase_s=0.7),
)
INTERRUPTED = (*QUICK, ScheduledJob("interrupted", timedelta(seconds=2), interrupted))
UNLUCKY = (ScheduledJob("unlucky", timedelta(seconds=0.5), unlucky),)
TWENTIETH = (ScheduledJob("quick", timedelta(seconds=0.05), quick),)
FIVE_S = (ScheduledJob("quick", timedelta(seconds=5), quick),)
HUNG = (*QUICK, ScheduledJob("hung", timedelta(seconds=10), hung, deadline_s=0.5, at_once=True))
SLOW = (*QUICK, ScheduledJob("slow", timedelta(seconds=1), slow, phase_s=0.2))
RARE = (ScheduledJob("blocking", timedelta(days=1), blocking),)
