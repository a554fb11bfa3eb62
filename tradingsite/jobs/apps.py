"""What runs by itself: the schedule, its runs and the scheduler that makes them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """The timed jobs. The rules, R1 to R24, are in docs/scheduler.md."""

    name = "tradingsite.jobs"
    verbose_name = _("Jobs")
