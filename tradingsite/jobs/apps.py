"""The app for scheduled jobs: the timetable, the scheduler, and the records of runs."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """docs/scheduler.md has the rules, R1 to R24."""

    name = "tradingsite.jobs"
    verbose_name = _("Jobs")
