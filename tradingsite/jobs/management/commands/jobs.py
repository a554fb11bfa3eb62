"""`manage.py jobs list|show|run|pause|resume|history`: shows and controls the jobs in a terminal.

See docs/scheduler.md, R25.
"""

import json
import time
from datetime import datetime
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from healthcheck.management.examples import ExamplesFormatter
from tradingsite.jobs import control
from tradingsite.jobs.management.operator_name import operator_name
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.reporting import job_report
from tradingsite.jobs.reporting.status import read
from tradingsite.jobs.timetable import registered
from tradingsite.startup import CannotStart, refuse_other_mode

REFUSED = 3
NO_LEADER = 4
_POLL_S = 0.2
_EXAMPLES = """\
examples:
  manage.py jobs list                                     every job: state, last run, next run, p95
  manage.py jobs show check_volatility --json             one job, for programs
  manage.py jobs run sync_pending_orders                  has the leader run it, and waits for the end
  manage.py jobs run cleanup_old_data --no-wait           only requests it
  manage.py jobs pause generate_trading_signal --reason "exchange maintenance"
  manage.py jobs resume generate_trading_signal --by alice
  manage.py jobs history collect_market_data --limit 20   pauses, requests, aborted runs

Exit status: 0; 1 when it or the run failed; 2 for wrong arguments; 3 when the job's state forbids it (paused,
requested already, not paused); 4 when no scheduler leads.
"""


class Command(BaseCommand):
    """Shows jobs, and leaves requests for the leader. It runs no job itself."""

    # An operator must be able to pause a job while some other check fails.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = ExamplesFormatter
        parser.description = _("Show the timed jobs, pause or resume one, or have it run now.")
        parser.epilog = _EXAMPLES
        names = "{list,show,run,pause,resume,history}"
        actions = parser.add_subparsers(dest="action", required=True, metavar=names)
        parsers = {
            "list": actions.add_parser("list", help=_("every job in one line")),
            "show": actions.add_parser("show", help=_("everything about one job")),
            "run": actions.add_parser("run", help=_("have the leader run a job now")),
            "pause": actions.add_parser("pause", help=_("stop running a job until it is resumed")),
            "resume": actions.add_parser("resume", help=_("let a paused job run again")),
            "history": actions.add_parser("history", help=_("events of a job other than its scheduled runs")),
        }
        for action, each in parsers.items():
            each.add_argument("--json", action="store_true", dest="as_json", help=_("Print it as JSON."))
            if action != "list":
                each.add_argument("name", metavar="JOB", choices=sorted(registered()))
        for action in ("run", "pause", "resume"):
            parsers[action].add_argument(
                "--by", metavar="NAME", help=_("Your name; default: the system's user.")
            )
        parsers["run"].add_argument("--no-wait", action="store_true", help=_("Do not wait for its end."))
        parsers["run"].add_argument(
            "--timeout-s",
            type=float,
            metavar="N",
            help=_("How long to wait; default: its hard limit + 10 s."),
        )
        parsers["pause"].add_argument(
            "--reason", required=True, metavar="TEXT", help=_("Reason, for everybody who sees it.")
        )
        parsers["history"].add_argument("--limit", type=int, default=50, metavar="N", help=_("How many."))

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            refuse_other_mode()
            getattr(self, f"_{action}")(options)
        except control.NotAllowed as refused:
            raise CommandError(str(refused), returncode=REFUSED) from refused
        except (CannotStart, DatabaseError) as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        report = job_report.everything()
        table = job_report.as_table(report, is_terminal=self.stdout.isatty())
        self._print(report, [table], options)

    def _show(self, options: dict[str, Any]) -> None:
        report = job_report.one(options["name"])
        self._print(report, job_report.as_facts(report), options)

    def _history(self, options: dict[str, Any]) -> None:
        events = JobEvent.objects.filter(job_name=options["name"])[: max(options["limit"], 1)]
        report = [job_report.event(each) for each in events]
        lines = [job_report.event_line(each) for each in events] or [_("No events.")]
        self._print(report, lines, options)

    def _pause(self, options: dict[str, Any]) -> None:
        control.pause(options["name"], options["reason"], operator_name(options["by"]))
        self._print_state(_("%(job)s is paused."), options)

    def _resume(self, options: dict[str, Any]) -> None:
        control.resume(options["name"], operator_name(options["by"]))
        self._print_state(_("%(job)s runs again from its next tick on."), options)

    def _run(self, options: dict[str, Any]) -> None:
        name = options["name"]
        if not read().alive:
            text = _("No scheduler leads, so %(job)s would not run. Nothing was requested.")
            raise CommandError(text % {"job": name}, returncode=NO_LEADER)
        requested_at = control.request_run(name, operator_name(options["by"]))
        if options["no_wait"]:
            self._print_state(
                _("A run of %(job)s is requested; the leader starts it within a second."), options
            )
            return
        state = self._finished_run(name, requested_at, options["timeout_s"])
        report = job_report.last_run(state)
        self._print(report, job_report.run_lines(report), options)
        if not state.last_success:
            raise CommandError(_("The run failed."))

    def _finished_run(self, name: str, requested_at: datetime, timeout_s: float | None) -> JobState:
        """Wait for the end of the run requested at that time; return the job's row."""
        limit_s = timeout_s if timeout_s is not None else registered()[name].hard_limit_s + 10
        deadline_s = time.monotonic() + limit_s
        while True:
            state = JobState.objects.get(job_name=name)
            # One statement claims the run and removes the request, so these three columns fit together.
            if state.run_requested_at is None and state.running_since is None:
                if state.last_finished_at is not None and state.last_finished_at >= requested_at:
                    return state
                if state.paused:
                    text = _("%(job)s was paused meanwhile: %(why)s") % {
                        "job": name,
                        "why": state.why_paused,
                    }
                    raise control.NotAllowed(text)
            if time.monotonic() >= deadline_s:
                _not_in_time(name, requested_at, limit_s)
            time.sleep(_POLL_S)

    def _print_state(self, text: str, options: dict[str, Any]) -> None:
        report = job_report.one(options["name"])
        self._print(report, [text % {"job": options["name"]}], options)

    def _print(self, report: object, lines: list[str], options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(report, ensure_ascii=False) if options["as_json"] else "\n".join(lines))


def _not_in_time(name: str, requested_at: datetime, limit_s: float) -> NoReturn:
    withdrawn = control.withdraw(name, requested_at)
    what = _("the request is withdrawn") if withdrawn else _("the run continues")
    alive = read().alive
    facts = {"job": name, "limit": f"{limit_s:g}", "what": what}
    text = _("%(job)s has not ended within %(limit)s s; %(what)s.") % facts
    if not alive:
        no_leader = _("No scheduler leads.")
        raise CommandError(f"{text} {no_leader}", returncode=NO_LEADER)
    raise CommandError(text)
