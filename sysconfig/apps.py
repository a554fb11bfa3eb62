from pathlib import Path

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SysconfigConfig(AppConfig):
    """Runtime configuration, found by its path: Python's own module has the name (docs/adr/0001)."""

    name = "sysconfig"
    label = "sysconfig"
    path = str(Path(__file__).resolve().parent)
    verbose_name = _("Runtime configuration")

    def ready(self) -> None:
        from sysconfig import checks, signals  # noqa: F401 - importing checks registers them

        post_migrate.connect(signals.add_missing_rows, sender=self)
