"""The app for scheduled jobs: the timetable, the scheduler, and the records of runs.

Rules: docs/scheduler.md R1 to R25.
"""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "tradingsite.jobs"
    verbose_name = _("Jobs")
