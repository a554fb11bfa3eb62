"""`manage.py runscheduler`: runs the jobs on time until it is told to end."""

from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from tradingsite.jobs import tasks  # noqa: F401 - what it imports late, now and not at the first tick
from tradingsite.jobs.scheduler.intervals import in_force
from tradingsite.jobs.scheduler.lock import NotOneSession
from tradingsite.jobs.scheduler.supervisor import Supervisor
from tradingsite.jobs.scheduler.watchdog import Watchdog
from tradingsite.jobs.shutdown import Stop, StopOnSignal, end_process
from tradingsite.startup import CannotStart, refuse_missing_keys

_MARGIN_S = 3
"""Beyond the grace: for the last words. Then the kernel ends the process, whatever it is stuck in."""
_REFUSED = 2
"""A supervisor of processes need not start it again: nothing changes until a person does something."""


class Command(BaseCommand):
    """Runs in the foreground; SIGTERM or Ctrl-C ends it within the grace."""

    requires_system_checks = ()  # the start needs nothing but the database, and waits for that

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Run the jobs on time. Any number of schedulers may run: one works, the others wait."
        )

    def handle(self, **options: Any) -> NoReturn:
        stop = StopOnSignal(kill_after_s=settings.SCHEDULER_GRACE_S + _MARGIN_S)
        end_process(self.supervise(stop))

    def supervise(self, stop: Stop) -> int:
        """Return the exit code of a scheduler that runs until `stop` is set, or says why it can't."""
        try:
            refuse_missing_keys()
            supervisor = Supervisor(stop, settings.SCHEDULER_GRACE_S)
            watchdog = Watchdog(supervisor, in_force())
            watchdog.start()
            try:
                return supervisor.run()
            finally:
                watchdog.end()
        except CannotStart as reason:
            message = str(reason)
        except NotOneSession:
            message = _(
                "The lock can't be held through this address: a pooler in transaction mode? "
                "Set DATABASE_DIRECT_URL to the database's own address."
            )
        self.stderr.write(self.style.ERROR(message))
        return _REFUSED
