"""Settings of a scheduler in a process of its own: the project's, with one of the scaled timetables."""

import os

from tradingsite.settings import *  # noqa: F403

JOBS_SCHEDULE = f"tests.jobs.scaled.{os.environ['SCALED']}"
