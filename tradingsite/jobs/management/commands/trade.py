"""`manage.py trade status|halt|resume`: shows the trading state, and halts or resumes buys.

See docs/risk.md, V16.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from healthcheck.management.examples import ExamplesFormatter
from sysconfig.registry import UnreadableConfig
from tradingsite.jobs.management.operator_name import operator_name
from tradingsite.jobs.reporting import trading_panel
from tradingsite.jobs.reporting.status import read
from tradingsite.jobs.reporting.stop_losses import stop_losses
from tradingsite.jobs.reporting.trade_report import Report, as_json, as_text, read_report
from tradingsite.risk import halts
from tradingsite.startup import CannotStart, refuse_other_mode

ALREADY_HALTED = 3
_STATES = ("active", "reducing", "halted")  # from best to worst
_EXAMPLES = """\
examples:
  manage.py trade status                           state, halts, account, positions, open orders
  manage.py trade status --fail-on halted          exit status 1 while halted, for cron
  manage.py trade halt --reason "odd prices"       no new buys anywhere, from now on
  manage.py trade resume --by alice                ends the operator's halt

Exit status: 0; 1 when it failed; 2 for wrong arguments; 3 when buys were halted already.
"""


class Command(BaseCommand):
    """Stops buys only. No trading state stops a sell or a stop-loss."""

    # An operator must be able to halt while some other check fails.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = ExamplesFormatter
        parser.description = _("Show whether the trader buys and sells, stop new buys, or allow them again.")
        parser.epilog = _EXAMPLES
        actions = parser.add_subparsers(dest="action", required=True, metavar="{status,halt,resume}")
        status = actions.add_parser("status", help=_("show the trading state and what causes it"))
        status.add_argument("--json", action="store_true", dest="as_json", help=_("Print it as JSON."))
        status.add_argument(
            "--fail-on", choices=_STATES[1:], help=_("The mildest state that gives exit status 1.")
        )
        halt = actions.add_parser("halt", help=_("stop new buys of all markets now"))
        halt.add_argument(
            "--reason", required=True, metavar="TEXT", help=_("Reason, for everybody who sees it.")
        )
        resume = actions.add_parser("resume", help=_("end the operator's halt"))
        for each in (halt, resume):
            each.add_argument("--by", metavar="NAME", help=_("Your name; default: the system's user."))

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            refuse_other_mode()
            if action == "status":
                self._status(as_json=options["as_json"], fail_on=options["fail_on"])
            elif action == "halt":
                self._halt(options["reason"], operator_name(options["by"]))
            else:
                self._resume(operator_name(options["by"]))
        except (CannotStart, DatabaseError, UnreadableConfig) as error:
            raise CommandError(str(error)) from error

    def _status(self, *, as_json: bool, fail_on: str | None) -> None:
        report = read_report()
        self.stdout.write(_json(report) if as_json else as_text(report))
        if fail_on and _STATES.index(report.state.name) >= _STATES.index(fail_on):
            raise CommandError(report.state.text)

    def _halt(self, reason: str, by: str) -> None:
        try:
            halts.halt_now(reason, by)
        except halts.AlreadyHalted as already:
            text = halts.already_halted(already.halt)
            raise CommandError(text, returncode=ALREADY_HALTED) from already
        except ValueError as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(_("Halted: no buys until an operator ends the halt."))
        self.stdout.write(_stop_losses())

    def _resume(self, by: str) -> None:
        ended = [halt for halt in halts.by_operators() if halts.end(halt, by)]
        for halt in ended:
            facts = {"who": halt.made_by, "reason": halt.reason}
            self.stdout.write(_("Ended: halted by %(who)s: %(reason)s") % facts)
        if not ended:
            self.stdout.write(_("No operator's halt was open."))
        self.stdout.write(_state_now())


# These run after the halt was created or ended: a failure to read more must not look as if that had failed.


def _stop_losses() -> str:
    try:
        return stop_losses(read()).text
    except DatabaseError as error:
        return _("Cannot tell whether stop-losses are sold: %(why)s") % {"why": str(error).strip()}


def _state_now() -> str:
    try:
        return _("Now: %(state)s") % {"state": trading_panel.trading()["state"].text}
    except DatabaseError as error:
        return _("Cannot tell what stops buys now: %(why)s") % {"why": str(error).strip()}


def _json(report: Report) -> str:
    return json.dumps(as_json(report), ensure_ascii=False)
