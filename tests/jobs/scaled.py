"""Timetables for schedulers in processes of their own, where a second stands for minutes.

Their bodies note each run in the table `scaled_run`, with the tick that the scheduler says it is for.
"""

import os
import threading
from datetime import timedelta

from django.db import connection

from tradingsite.jobs.schedule import ScheduledJob


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


QUICK = (ScheduledJob("quick", timedelta(seconds=0.5), quick),)
MIXED = (
    *QUICK,
    ScheduledJob("steady", timedelta(seconds=1), steady, phase_s=0.3),
    ScheduledJob("failing", timedelta(seconds=1), failing, phase_s=0.7),
)
SLOW = (*QUICK, ScheduledJob("slow", timedelta(seconds=1), slow, phase_s=0.2))
