"""`manage.py sysconfig` of this project: `sysconfig`'s own command, for the database of this mode only."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from sysconfig.management.commands import sysconfig
from tradingsite.startup import CannotStart, refuse_other_mode


class Command(sysconfig.Command):
    """What raises the risk depends on the mode, so the other mode's database is refused."""

    mode = settings.TRADING_MODE

    def handle(self, **options: Any) -> None:
        try:
            refuse_other_mode()
        except CannotStart as refused:
            raise CommandError(str(refused)) from refused
        super().handle(**options)
