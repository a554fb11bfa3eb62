"""Arguments and help of `manage.py sysconfig`."""

import argparse

from django.core.management.base import CommandParser, DjangoHelpFormatter
from django.utils.translation import gettext as _

_EXAMPLES = """\
examples:
  manage.py sysconfig list --changed                    what differs from the defaults
  manage.py sysconfig get stop_loss_pct                 the bare value, for scripts
  manage.py sysconfig set stop_loss_pct 4.5             asks when that raises the risk
  manage.py sysconfig set stop_loss_pct 4.5 --if-is 5   only if it is still 5
  manage.py sysconfig reset stop_loss_pct markets       back to the defaults
  manage.py sysconfig history stop_loss_pct             who, when, from where, old → new
  manage.py sysconfig revert 17                         reverts change number 17
  manage.py sysconfig export --file before.json
  manage.py sysconfig import before.json --dry-run      shows what would change

Exit status: 0; 1 when it was refused, declined or changed meanwhile (nothing is changed then);
2 for wrong arguments.
"""


class ExamplesFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of options, and an epilog that keeps its line breaks."""


def add(parser: CommandParser) -> None:
    parser.formatter_class = ExamplesFormatter
    parser.description = _("Read and change runtime settings, and see who changed what.")
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="{list,get,set,reset,history,revert,export,import}"
    )
    listing = actions.add_parser("list", help=_("show every setting"))
    listing.add_argument("--group", metavar="G", help=_("Only this group, such as Risk."))
    listing.add_argument("--changed", action="store_true", help=_("Only what differs from its default."))
    get = actions.add_parser("get", help=_("print one value"))
    get.add_argument("key", metavar="KEY")
    changing = actions.add_parser("set", help=_("change one value"))
    changing.add_argument("key", metavar="KEY")
    changing.add_argument("value", metavar="VALUE")
    changing.add_argument(
        "--if-is", metavar="OLD", help=_("Change nothing unless the value is still this one.")
    )
    reset = actions.add_parser("reset", help=_("reset settings to their defaults"))
    reset.add_argument("keys", metavar="KEY", nargs="+")
    history = actions.add_parser("history", help=_("show what was changed, the newest first"))
    history.add_argument("key", metavar="KEY", nargs="?")
    history.add_argument(
        "--limit", metavar="N", type=_positive, default=20, help=_("At most this many changes (default: 20).")
    )
    revert = actions.add_parser("revert", help=_("restore the value from before a change"))
    revert.add_argument(
        "number", metavar="NUMBER", type=_positive, help=_("The change's number in the history.")
    )
    export = actions.add_parser("export", help=_("write all values as JSON"))
    export.add_argument("--file", metavar="F", help=_("Write to this file instead of the terminal."))
    importing = actions.add_parser("import", help=_("change what differs from an exported file"))
    importing.add_argument("file", metavar="FILE", help=_("The exported file, or - for standard input."))
    importing.add_argument("--dry-run", action="store_true", help=_("Only show what would change."))
    for each in (listing, get, history):
        each.add_argument("--json", action="store_true", dest="as_json", help=_("Print it as JSON."))
    for each in (changing, reset, revert, importing):
        each.add_argument("--yes", action="store_true", help=_("Do not ask for a confirmation."))


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number < 2**63:
        raise argparse.ArgumentTypeError(_("must be a whole number from 1"))
    return number
