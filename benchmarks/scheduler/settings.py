"""The project's settings with a timetable of the bench. BENCH_HEALTH: health and its history too."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

JOBS_SCHEDULE = f"benchmarks.scheduler.jobs.{os.environ['BENCH_TIMETABLE']}"
if not os.environ.get("BENCH_HEALTH"):  # the history of health is no part of a run
    HEALTH_PROBES = []
    HEALTH_ABILITIES = []
