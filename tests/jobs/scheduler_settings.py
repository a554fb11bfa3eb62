"""Settings of a scheduler in a process of its own: the project's, with one of the scaled timetables."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

JOBS_SCHEDULE = f"tests.jobs.scaled.{os.environ['SCALED']}"
