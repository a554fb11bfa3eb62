"""The health app: probes, JSON answers, status page, history and alerts.

Starting Django starts no thread of it.
"""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HealthcheckConfig(AppConfig):
    name = "healthcheck"
    verbose_name = _("Health")

    def ready(self) -> None:
        from healthcheck import checks  # noqa: F401 - importing registers them
