"""Health of the site: the engine, its answers and its page. Starting Django starts none of it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HealthcheckConfig(AppConfig):
    name = "healthcheck"
    verbose_name = _("Health")

    def ready(self) -> None:
        from healthcheck import checks  # noqa: F401 - importing registers them
