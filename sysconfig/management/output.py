"""Prints settings and their history: as tables for people, as JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from sysconfig import registry
from sysconfig.change_plan import Step
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.moments import utc

_SHOWN = 60  # columns of a value on a terminal
_WIDER_THAN_ANY_ROW = 2**31  # otherwise rich cuts or wraps columns
_SPELLED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns of plain text, one line for each row."""
    from rich.console import Console  # here: most commands print no table, and rich is slow to import
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for _column in rows[0]:
        grid.add_column(no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))  # a Text, since rich interprets [markup] in a str
    console = Console(file=StringIO(), width=_WIDER_THAN_ANY_ROW, color_system=None)
    with console.capture() as printed:
        console.print(grid)
    return "\n".join(map(str.rstrip, printed.get().splitlines()))


def one_line(text: str | None, columns: int | None = _SHOWN) -> str:
    """Return a value without line breaks and control characters, at most `columns` wide."""
    from rich.text import Text

    if text is None:
        return "-"
    line = Text(
        "".join(
            letter if letter.isprintable() else _SPELLED.get(letter, f"\\x{ord(letter):02x}")
            for letter in text
        )
    )
    if columns is not None:
        line.truncate(columns, overflow="ellipsis")
    return line.plain


class Tables:
    """Tables for people. Long values are shortened on a terminal, and complete in a pipe or file."""

    def __init__(self, *, terminal: bool) -> None:
        self._columns = _SHOWN if terminal else None

    def rows(self, rows: Sequence[SystemConfig], problems: Mapping[str, str]) -> str:
        """Mark changed values with `*`, unusable ones with `!`. The reasons follow below the table."""
        titles = ("", _("key"), _("value"), _("unit"), _("default"), _("changed at (UTC)"))
        lines = table([titles, *(self._row(row, usable=row.key not in problems) for row in rows)])
        return "\n".join(
            [lines, *(f"! {row.key}: {problems[row.key]}" for row in rows if row.key in problems)]
        )

    def changes(self, changes: Iterable[SystemConfigChange]) -> str:
        titles = (
            _("number"), _("at (UTC)"), _("key"), _("old → new"), _("source"), _("who"), _("from where")
        )  # fmt: skip
        return table([titles, *map(self._change, changes)])

    def steps(self, steps: Iterable[Step]) -> str:
        """List what would change; risky steps and unknown keys are marked in words."""
        return table(
            [(self._value(step.key) + ":", self._arrow(step.old, step.new), _note(step)) for step in steps]
        )

    def _row(self, row: SystemConfig, *, usable: bool) -> tuple[str, ...]:
        key = registry.find(row.key)
        mark = "!" if not usable else "" if row.differs_from_default is False else "*"
        unit = str(key.unit) if key else _("not registered")
        default = self._value(key.format(key.default)) if key else ""
        return mark, self._value(row.key), self._value(row.value), unit, default, utc(row.updated_at)

    def _change(self, change: SystemConfigChange) -> tuple[str, ...]:
        key = f"{change.old_key} → {change.key}" if change.old_key else change.key
        return (
            str(change.pk),
            utc(change.at),
            self._value(key),
            self._arrow(change.old_value, change.new_value),
            change.get_source_display(),
            self._value(change.actor),
            self._value(change.origin),
        )

    def _value(self, text: str | None) -> str:
        return one_line(text, self._columns)

    def _arrow(self, old: str | None, new: str | None) -> str:
        return f"{self._value(old)} → {self._value(new)}"


def _note(step: Step) -> str:
    if step.raises_risk:
        return _("RAISES RISK")
    return _("NEW KEY, NOT REGISTERED") if step.adds_unregistered else ""


def row_as_json(row: SystemConfig, problems: Mapping[str, str]) -> dict[str, Any]:
    """Return the values as stored in the table; all words are English."""
    key = registry.find(row.key)
    with override("en"):
        about = {
            "type": key.value_type.name if key else None,
            "unit": str(key.unit) if key else None,
            "group": str(key.group) if key else None,
            "limits": [str(limit) for limit in key.limits] if key and key.limits else None,
            "default": key.format(key.default) if key else None,
            "riskier": key.riskier if key else "",
        }
    return {
        "key": row.key,
        "value": row.value,
        "registered": key is not None,
        "valid": row.key not in problems,
        **about,
        "updated_at": row.updated_at.isoformat(),
    }


def change_as_json(change: SystemConfigChange) -> dict[str, Any]:
    fields = ("key", "old_key", "action", "old_value", "new_value", "source", "actor", "origin")
    return {
        "number": change.pk,
        "at": change.at.isoformat(),
        **{name: getattr(change, name) for name in fields},
    }
