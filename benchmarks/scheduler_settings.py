"""The project's settings with a timetable of the scheduler's bench."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

JOBS_SCHEDULE = f"benchmarks.scheduler_jobs.{os.environ['BENCH_TIMETABLE']}"
HEALTH_PROBES = []  # the history of health is measured apart: it is no part of a run
HEALTH_ABILITIES = []
