"""The project's settings with the timetable of the chaos; `CHAOS_VARIANT` breaks the scheduler on purpose."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

JOBS_SCHEDULE = "tests.chaos_scheduler.timetable.SCHEDULE"
CHAOS_VARIANT = os.environ.get("CHAOS_VARIANT", "")
