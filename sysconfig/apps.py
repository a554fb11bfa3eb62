"""The app for runtime settings. Starting Django adds its checks; `migrate` adds missing rows."""

from pathlib import Path

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SysconfigConfig(AppConfig):
    """The path is given since Python's own module `sysconfig` has the same name (docs/adr/0001)."""

    name = "sysconfig"
    label = "sysconfig"
    path = str(Path(__file__).resolve().parent)
    verbose_name = _("Runtime configuration")

    def ready(self) -> None:
        from sysconfig import checks, signals  # noqa: F401 - importing checks registers them

        post_migrate.connect(signals.add_missing_rows, sender=self)
