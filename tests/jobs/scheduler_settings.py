"""Settings of a scheduler in a process of its own: the project's, with scaled timetable and limits."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

JOBS_SCHEDULE = f"tests.jobs.scaled.{os.environ['SCALED']}"
JOBS_INTERVALS = f"tests.jobs.scaled.{os.environ['LIMITS']}"
# The database alone is probed, and often.
HEALTH_PROBES = [
    {
        "name": "database",
        "probe": "healthcheck.probes.database",
        "ttl_s": 0.05,
        "ttl_bad_s": 0.05,
        "timeout_s": 4,
    }
]
HEALTH_ABILITIES = []
STATUS_PANELS = []
