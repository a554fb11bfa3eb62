"""`manage.py healthcheck`: the health of every component, for terminals and cron."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from healthcheck.engine.engine import engine
from healthcheck.management.examples import ExamplesFormatter
from healthcheck.pages.plain_text import as_text
from healthcheck.pages.status_page import StatusPage, status_page
from healthcheck.redaction import redacted_text
from healthcheck.selection import WrongSelection, selected
from healthcheck.snapshot import Snapshot

_EXAMPLES = """\
examples:
  manage.py healthcheck                                a table for people
  manage.py healthcheck --json                         the same as /api/v1/health/detail, for programs
  manage.py healthcheck --fail-on warning              exit status 1 also when the site is degraded
  manage.py healthcheck --only database,scheduler      only these; --exclude for all but some
  manage.py healthcheck --max-age 60                   exit status 1 also when a result is older than 60 s
  manage.py healthcheck --watch 5                      again every 5 s, until Ctrl-C

Exit status: 0, or 1 when the site is unhealthy. Ends at its deadline even when a dependency hangs.
"""


class Command(BaseCommand):
    """Runs every probe once, in daemon threads: a probe that hangs cannot delay the exit."""

    help = "Show the health of every component. Exits 1 when the site is unhealthy."
    # An operator must see what is wrong even while another system check fails.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = ExamplesFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="Print the detailed report as JSON, one line."
        )
        parser.add_argument("--only", metavar="NAMES", help="Components to check, separated by commas.")
        parser.add_argument("--exclude", metavar="NAMES", help="Components to leave out.")
        parser.add_argument(
            "--fail-on",
            choices=["unhealthy", "warning"],
            default="unhealthy",
            help="The mildest state that gives exit status 1 (default: unhealthy).",
        )
        parser.add_argument(
            "--max-age", type=_seconds, metavar="SECONDS", help="Exit 1 when a result is older than this."
        )
        parser.add_argument("--watch", type=_seconds, metavar="SECONDS", help="Repeat at this interval.")

    def handle(self, *, only: str | None, exclude: str | None, watch: float | None, **options: Any) -> None:
        try:
            names = selected(only, exclude)
        except WrongSelection as wrong:
            raise CommandError(str(wrong)) from wrong
        if watch is None:
            self._end(self._shown(names, **options), **options)
            return
        try:
            while True:
                self._shown(names, **options)
                time.sleep(watch)
        except KeyboardInterrupt:
            self.stdout.write("")

    def _shown(self, names: Any, *, as_json: bool, **_options: Any) -> tuple[Snapshot, StatusPage]:
        snapshot = engine().snapshot() if names is None else engine().part(names)
        page = status_page(snapshot, (), staff=True)
        text = snapshot.full_json.decode() if as_json else as_text(page, self.style)
        self.stdout.write(redacted_text(text))
        return snapshot, page

    def _end(
        self,
        shown: tuple[Snapshot, StatusPage],
        *,
        fail_on: str,
        max_age: float | None,
        **_options: Any,
    ) -> None:
        snapshot, page = shown
        if snapshot.status == "unhealthy" or (fail_on == "warning" and snapshot.status != "healthy"):
            raise CommandError(page.headline, returncode=1)
        old = [each for each in page.components if max_age is not None and each.age_s > max_age]
        if old:
            names = ", ".join(f"{each.name} ({each.age_s:.0f} s)" for each in old)
            text = _("older than %(limit)g s: %(components)s")
            raise CommandError(text % {"limit": max_age, "components": names}, returncode=1)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds
