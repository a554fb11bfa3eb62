"""Health of the site: the engine, its answers and its page. Starting Django starts none of it."""

from typing import Any

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _

_READ_ONCE = {"HEALTH_PROBES", "HEALTH_ABILITIES", "STATUS_PANELS", "VERSION"}


class HealthcheckConfig(AppConfig):
    """Registers the system checks."""

    name = "healthcheck"
    verbose_name = _("Health")

    def ready(self) -> None:
        from healthcheck import checks  # noqa: F401 - importing registers them

        setting_changed.connect(_forget_engine)


def _forget_engine(*, setting: str, **_kwargs: Any) -> None:
    from healthcheck.engine.engine import forget_engine

    if setting in _READ_ONCE:
        forget_engine()
