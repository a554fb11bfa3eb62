"""Jobs for schedulers that are killed: each records its own run, apart from the scheduler's tables."""

import os
import random
import time
from datetime import timedelta

from django.conf import settings
from django.db import connection

from tradingsite.jobs.scheduler import lock, runner
from tradingsite.jobs.scheduler.claim import Claim
from tradingsite.jobs.timetable import ScheduledJob

TABLE = """
CREATE TABLE chaos_run (job text, pid int, tick timestamptz, at timestamptz DEFAULT clock_timestamp())
"""


def note(job, tick):
    """Write the record that the audit counts, before anything else."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chaos_run (job, pid, tick) VALUES (%s, %s, %s)", [job, os.getpid(), tick])


def work(seconds):
    """Take about `seconds`, half of it on the processor."""
    time.sleep(random.uniform(0, seconds))  # noqa: S311 - not for secrets
    until = time.thread_time() + seconds / 2
    while time.thread_time() < until:
        pass


def price(tick):
    note("price", tick)
    work(0.02)
    return {}


def watch(tick):
    note("watch", tick)
    work(0.1)
    return {}


def orders(tick):
    note("orders", tick)
    work(0.4)
    return {}


def slow(tick):
    note("slow", tick)
    work(1.2)
    return {}


SCHEDULE = (
    ScheduledJob("price", timedelta(seconds=2), price, deadline_s=8),
    ScheduledJob("watch", timedelta(seconds=2), watch, phase_s=0.7, deadline_s=8),
    ScheduledJob("orders", timedelta(seconds=3), orders, phase_s=1.3, deadline_s=8),
    ScheduledJob("slow", timedelta(seconds=4), slow, phase_s=0.4, deadline_s=8),
)


def unfence() -> None:
    """Let every scheduler believe that it has the lock and each tick: the audit must find it out."""
    lock._TRY = lock._HOLDS = "SELECT count(*) FROM (SELECT %s::int, %s::int) AS anything"
    runner.claim = lambda job, tick, epoch: Claim()  # type: ignore[attr-defined]  # broken on purpose


if getattr(settings, "CHAOS_VARIANT", "") == "unfenced":
    unfence()
