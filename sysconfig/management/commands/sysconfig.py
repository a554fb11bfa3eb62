"""`manage.py sysconfig`: lists, changes and reverts runtime settings in a terminal.

See docs/configuration.md, "From a terminal".
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sysconfig.authorship import attributed_to
from sysconfig.change_plan import Plan, Step, plan
from sysconfig.management import arguments, export_file, lookup, output, prompts
from sysconfig.models import SystemConfig
from sysconfig.registry import ChangeRefused


class Command(BaseCommand):
    # An operator must be able to change a setting while some other check fails.
    requires_system_checks = ()
    mode: ClassVar[str] = ""  # the trading mode, written into exports; the project's subclass sets it

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add(parser)

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except lookup.UnknownName as unknown:
            raise CommandError(str(unknown), returncode=unknown.exit_status) from unknown
        except (ChangeRefused, export_file.UnreadableExport, DatabaseError, OSError, UnicodeError) as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        rows = lookup.rows(options["group"], changed=options["changed"])
        problems = lookup.problems()
        if options["as_json"]:
            self._write_json([output.row_as_json(row, problems) for row in rows])
        elif rows:
            self.stdout.write(self._tables().rows(rows, problems))
        else:
            self.stdout.write(_("Every value is its default."))

    def _get(self, options: dict[str, Any]) -> None:
        row, problems = lookup.row(options["key"]), lookup.problems()
        if options["as_json"]:
            self._write_json(output.row_as_json(row, problems))
            return
        if why_not := problems.get(row.key):
            facts = {"key": row.key, "value": output.one_line(row.value), "rule": why_not}
            raise CommandError(_("%(key)s is %(value)s and can't be used: %(rule)s") % facts)
        self.stdout.write(row.value)

    def _set(self, options: dict[str, Any]) -> None:
        key = options["key"]
        made = plan({key: options["value"]})
        if options["if_is"] is not None:
            lookup.require_value(key, options["if_is"], made.seen[key])
        self._carry_out(made, options, made.carry_out)

    def _reset(self, options: dict[str, Any]) -> None:
        made = plan(lookup.defaults(options["keys"]))
        self._carry_out(made, options, made.carry_out)

    def _history(self, options: dict[str, Any]) -> None:
        changes = lookup.changes(options["key"])[: options["limit"]]
        if options["as_json"]:
            self._write_json([output.change_as_json(change) for change in changes])
        elif changes:
            self.stdout.write(self._tables().changes(changes))
        else:
            self.stdout.write(_("No change is recorded."))

    def _revert(self, options: dict[str, Any]) -> None:
        change = lookup.change(options["number"])
        made = plan({change.key: change.text_before()})
        revert = SystemConfig.objects.revert
        question = _("This reverts change %(number)s.") % {"number": change.pk}
        self._carry_out(made, options, lambda: revert(change.pk, expected=made.seen), question)

    def _export(self, options: dict[str, Any]) -> None:
        text = json.dumps(export_file.exported(self.mode, timezone.now()), ensure_ascii=False, indent=2)
        if options["file"] is None:
            self.stdout.write(text)
            return
        export_file.write_whole(Path(options["file"]), text + "\n")
        self.stdout.write(_("Written: %(file)s") % {"file": options["file"]})

    def _import(self, options: dict[str, Any]) -> None:
        name = options["file"]
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = export_file.read(text)
        if self.mode and found.mode != self.mode:
            facts = {"theirs": found.mode or "?", "ours": self.mode}
            self.stderr.write(
                _("This is an export of %(theirs)s mode; this site trades in %(ours)s mode.") % facts
            )
        made = plan(found.changes)
        made = made._replace(refusals=[*found.refusals, *made.refusals])
        self._carry_out(made, options, made.carry_out, _("This applies the file."))

    def _carry_out(
        self, made: Plan, options: dict[str, Any], carry_out: Callable[[], object], question: str = ""
    ) -> None:
        """Show the plan, ask if it raises the risk or there is a `question`, and do it."""
        if made.refusals:
            raise CommandError("\n".join([_("Nothing was changed."), *map(str, made.refusals)]))
        if not made.steps:
            self.stdout.write(_("Nothing to change."))
            return
        self.stdout.write(self._tables().steps(made.steps))
        if options.get("dry_run"):
            self.stdout.write(_("Nothing was changed: a dry run."))
            return
        if question := _confirmation_reason(made.steps) or question:
            prompts.confirm(self.stdout, question, yes=options["yes"])
        with attributed_to("command", *prompts.operator()):
            carry_out()
        count = len(made.steps)
        self.stdout.write(
            ngettext("%(count)d setting changed.", "%(count)d settings changed.", count) % {"count": count}
        )

    def _tables(self) -> output.Tables:
        return output.Tables(terminal=self.stdout.isatty())

    def _write_json(self, document: object) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))


def _confirmation_reason(steps: Sequence[Step]) -> str:
    if any(step.raises_risk for step in steps):
        return _("This raises the risk.")
    unknown = next((step.key for step in steps if step.adds_unregistered), None)
    if unknown is None:
        return ""
    return _("%(key)s is not a registered setting.%(guess)s") % {
        "key": unknown,
        "guess": lookup.guess(unknown),
    }
