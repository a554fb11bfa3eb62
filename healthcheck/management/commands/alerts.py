"""`manage.py alerts test|list`: sends a test alert now, or lists the last alerts (docs/alerts.md)."""

import argparse
import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from healthcheck.alerts.messages import AlertChange, body
from healthcheck.alerts.webhook import NotDelivered, Webhook
from healthcheck.management.examples import ExamplesFormatter
from healthcheck.models import Alert
from healthcheck.templatetags.moments import iso, moment_text
from healthcheck.terminal import table

_EXAMPLES = """\
examples:
  manage.py alerts test             posts one message to ALERT_WEBHOOK_URL and pings DEAD_MAN_URL once
  manage.py alerts list             the last 20 alerts and what became of them
  manage.py alerts list --json      the same for programs

Exit status of test: 0 when every URL that is set was reached, 1 when one was not or none is set.
"""


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number above 0, is {text!r}")
    return int(text)


class Command(BaseCommand):
    """Sends from this process: no scheduler is needed, and nothing is recorded."""

    # Operators use this while something else is broken.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = ExamplesFormatter
        parser.description = _("Test the alerts, or list the last ones.")
        parser.epilog = _EXAMPLES
        actions = parser.add_subparsers(dest="action", required=True, metavar="{test,list}")
        actions.add_parser("test", help=_("send one message now and say what happened"))
        listing = actions.add_parser("list", help=_("the last alerts"))
        listing.add_argument("--json", action="store_true", dest="as_json", help=_("Print it as JSON."))
        listing.add_argument("--limit", type=_count, default=20, metavar="N", help=_("How many."))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "test":
            self._test()
        else:
            self._list(as_json=options["as_json"], limit=options["limit"])

    def _test(self) -> None:
        tried = []
        if settings.ALERT_WEBHOOK_URL:
            message = body(settings.ALERT_WEBHOOK_FORMAT, settings.ALERT_SITE, _test_change())
            tried.append(self._reached("ALERT_WEBHOOK_URL", lambda hook: hook.post(message)))
        else:
            self.stdout.write(_("ALERT_WEBHOOK_URL is not set: changes of state send no alert."))
        if settings.DEAD_MAN_URL:
            tried.append(self._reached("DEAD_MAN_URL", Webhook.get))
        else:
            self.stdout.write(_("DEAD_MAN_URL is not set: no monitor notices when the site goes silent."))
        if not tried or not all(tried):
            raise CommandError(_("not delivered") if tried else _("nothing is set"))

    def _reached(self, name: str, call: Any) -> bool:
        try:
            call(Webhook(getattr(settings, name)))
        except NotDelivered as error:
            self.stderr.write(_("%(name)s: %(why)s") % {"name": name, "why": error})
            return False
        self.stdout.write(self.style.SUCCESS(_("%(name)s: delivered") % {"name": name}))
        return True

    def _list(self, *, as_json: bool, limit: int) -> None:
        rows = list(Alert.objects.select_related("transition").order_by("-transition__at", "-pk")[:limit])
        if as_json:
            self.stdout.write(json.dumps([_facts(row) for row in rows], indent=2))
            return
        if not rows:
            self.stdout.write(_("There was no alert yet."))
        for line in table([_cells(row) for row in rows], right=[2]):
            self.stdout.write(line)


def _cells(row: Alert) -> tuple[str, ...]:
    change = row.transition
    outcome = f"{row.get_state_display()}: {row.error}" if row.error else row.get_state_display()
    return f"{moment_text(change.at)} UTC", change.component, change.before, f"→ {change.after}", outcome


def _test_change() -> AlertChange:
    return AlertChange(
        component="test",
        label="a test of the alerts",
        at=timezone.now(),
        before="warning",
        after="healthy",
        message="This is a test: `manage.py alerts test` was run. Nothing has changed.",
        version=settings.VERSION,
    )


def _facts(row: Alert) -> dict[str, Any]:
    change = row.transition
    return {
        "component": change.component,
        "at": iso(change.at),
        "before": change.before,
        "after": change.after,
        "rehearsal": change.rehearsal,
        "state": row.state,
        "attempts": row.attempts,
        "sent_at": iso(row.sent_at),
        "next_attempt_at": iso(row.next_attempt_at),
        "error": row.error,
    }
