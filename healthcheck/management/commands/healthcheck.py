"""`manage.py healthcheck`: the status page for terminals and cron."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any
from unicodedata import east_asian_width

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from healthcheck.engine import engine
from healthcheck.page import PageComponent, StatusPage, status_page

_EXAMPLES = """\
examples:
  manage.py healthcheck                     a table for people
  manage.py healthcheck --json              the same as /api/v1/health/detail, for programs
  manage.py healthcheck --fail-on warning   exit status 1 already when something is degraded

Exit status: 0, or 1 when the site is unhealthy. Ends at its deadline even when a dependency hangs.
"""


class Command(BaseCommand):
    """Runs every probe once, in threads that nobody joins: a probe that hangs can't hold the exit."""

    help = "Show the health of every component. Exits 1 when the site is unhealthy."
    # A broken check elsewhere must not keep an operator from seeing what is wrong.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _EXAMPLES
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="Print the detailed report as JSON."
        )
        parser.add_argument(
            "--fail-on",
            choices=["unhealthy", "warning"],
            default="unhealthy",
            help="The least state that gives exit status 1 (default: unhealthy).",
        )

    def handle(self, *, as_json: bool, fail_on: str, **options: Any) -> None:
        snapshot = engine().snapshot()
        page = status_page(snapshot, (), staff=True)
        self.stdout.write(snapshot.full_json.decode() if as_json else as_text(page))
        if snapshot.status == "unhealthy" or (fail_on == "warning" and snapshot.status != "healthy"):
            raise CommandError(page.headline, returncode=1)


def as_text(page: StatusPage) -> str:
    """Return the page as an aligned table that needs no colour."""
    rows = [_cells(component) for component in page.components]
    widths = [max(_columns(row[column]) for row in rows) for column in range(3)]
    measured_at = f"{page.measured_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [f"{page.headline} ({page.version}, {measured_at})", ""]
    for name, word, latency, text in rows:
        lines.append(
            f"{_left(name, widths[0])}  {_left(word, widths[1])}  {latency.rjust(widths[2])}  {text}".rstrip()
        )
    return "\n".join(lines)


def _cells(component: PageComponent) -> tuple[str, str, str, str]:
    latency = "-" if component.latency_ms is None else f"{component.latency_ms:.1f} ms"
    text = component.text or ""
    if component.age_s >= 1:
        text += " " + _("(%(age_s)d s ago)") % {"age_s": component.age_s}
    return component.name, component.status_word, latency, text


def _left(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    """Return how many columns a terminal gives the text: a Korean letter takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
