"""`manage.py runscheduler`: runs the jobs on schedule until SIGTERM or Ctrl-C."""

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
"""Seconds after the grace period in which logs are flushed; then the kernel ends even a hanging process."""
_REFUSED = 2
"""The exit code when a restart would not help: an operator must change something first."""


class Command(BaseCommand):
    """Runs in the foreground; SIGTERM or Ctrl-C ends it within the grace period."""

    requires_system_checks = ()  # it needs only the database, and waits for that

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Run the jobs on schedule. Any number of schedulers may run: one leads, the others stand by."
        )

    def handle(self, **options: Any) -> NoReturn:
        stop = StopOnSignal(kill_after_s=settings.SCHEDULER_GRACE_S + _MARGIN_S)
        end_process(self.supervise(stop))

    def supervise(self, stop: Stop) -> int:
        """Run until `stop` is set, or print why that is not possible; return the exit code."""
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
                "This address cannot hold the scheduler's lock; is it a pooler in transaction mode? "
                "Set DATABASE_DIRECT_URL to the database's own address."
            )
        self.stderr.write(self.style.ERROR(message))
        return _REFUSED
