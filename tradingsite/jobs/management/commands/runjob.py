"""`manage.py runjob NAME`: runs one job now, in this process, with or without a scheduler."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from tradingsite.jobs.models import JobState
from tradingsite.jobs.run_result import OUTCOME_WORDS, RunResult
from tradingsite.jobs.scheduler.run_job import execute_by_hand
from tradingsite.jobs.timetable import ScheduledJob, registered
from tradingsite.startup import CannotStart, refuse_unless_ready


class Command(BaseCommand):
    """It neither waits for the scheduler nor stops it, and does not count as a tick."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _("Run one job now and print its counts. Exits 1 when it fails.")
        parser.add_argument("name", metavar="NAME", help=_("one of: %s") % ", ".join(registered()))
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help=_("Print the outcome as JSON.")
        )

    def handle(self, *, name: str, as_json: bool, **options: Any) -> None:
        job = _find(name)
        try:
            refuse_unless_ready()
            JobState.objects.register([name])
        except (CannotStart, DatabaseError) as reason:
            raise CommandError(str(reason)) from reason
        result = execute_by_hand(job)
        self._record(result)
        self.stdout.write(_as_json(result) if as_json else _as_text(result))
        if not result.success:
            raise CommandError(_("%(job)s failed: %(error)s") % {"job": name, "error": result.error})

    def _record(self, result: RunResult) -> None:
        try:
            JobState.objects.record(result)
        except DatabaseError as error:
            self.stderr.write(_("The outcome could not be recorded: %s") % error)


def _find(name: str) -> ScheduledJob:
    jobs = registered()
    if name not in jobs:
        raise CommandError(
            _("There is no job %(name)r. Registered: %(jobs)s") % {"name": name, "jobs": ", ".join(jobs)}
        )
    return jobs[name]


def _as_json(result: RunResult) -> str:
    return json.dumps(
        {
            "job_name": result.job_name,
            "success": result.success,
            "duration_ms": result.duration_ms,
            "counts": dict(result.counts),
            "error": result.error,
        }
    )


def _as_text(result: RunResult) -> str:
    width = max(map(len, result.counts), default=0)
    lines = [
        _("%(job)s: %(result)s in %(ms).2f ms")
        % {
            "job": result.job_name,
            "result": OUTCOME_WORDS[result.outcome],
            "ms": result.duration_ms,
        },
        *(f"  {name:<{width}}  {count}" for name, count in result.counts.items()),
    ]
    return "\n".join(lines)
