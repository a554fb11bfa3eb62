"""`manage.py sysconfig` of this site: the app's command, for databases of the current trading mode only."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from sysconfig.management.commands import sysconfig
from tradingsite.startup import CannotStart, refuse_other_mode


class Command(sysconfig.Command):
    """Which changes raise the risk depends on the mode, so it does not touch the other mode's database."""

    mode = settings.TRADING_MODE

    def handle(self, **options: Any) -> None:
        try:
            refuse_other_mode()
        except CannotStart as refused:
            raise CommandError(str(refused)) from refused
        super().handle(**options)
