"""The configuration and its history as text for people and as JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

from django.utils.translation import gettext as _
from django.utils.translation import override

from sysconfig import registry
from sysconfig.change_plan import Step
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.moments import utc

_SHOWN = 60  # columns of a value in a table; JSON has all
_SPELLED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as aligned columns, the last as it is. Needs no colour."""
    rows = list(rows)
    widths = [max(map(columns, cells)) for cells in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "  ".join(
            [
                *(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=False)),
                row[-1],
            ]
        ).rstrip()
        for row in rows
    )


def columns(text: str) -> int:
    """Return how many columns a terminal gives the text: a Korean letter takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def shown(text: str | None) -> str:
    """Return a value on one line, shortened, without what would steer the terminal."""
    if text is None:
        return "-"
    line = "".join(
        letter if letter.isprintable() else _SPELLED.get(letter, f"\\x{ord(letter):02x}")
        for letter in text[: _SHOWN + 1]
    )
    if columns(line) <= _SHOWN:
        return line
    while columns(line) >= _SHOWN:
        line = line[:-1]
    return line + "…"


def differs(row: SystemConfig) -> bool:
    """Tell whether a row holds something else than its key's default; what has no default does."""
    key = registry.find(row.key)
    return key is None or not key.is_default(row.value)


def listed(rows: Sequence[SystemConfig], problems: Mapping[str, str]) -> str:
    """Return rows for people. `*`: not the default. `!`: it can't be used, and below the table is why."""
    titles = ("", _("key"), _("value"), _("unit"), _("default"), _("changed at (UTC)"))
    lines = table([titles, *(_cells(row, usable=row.key not in problems) for row in rows)])
    return "\n".join([lines, *(f"! {row.key}: {problems[row.key]}" for row in rows if row.key in problems)])


def _cells(row: SystemConfig, *, usable: bool) -> tuple[str, ...]:
    key = registry.find(row.key)
    mark = "!" if not usable else "*" if differs(row) else ""
    unit, default = (str(key.unit), shown(key.format(key.default))) if key else (_("not registered"), "")
    return mark, shown(row.key), shown(row.value), unit, default, utc(row.updated_at)


def entry(row: SystemConfig, problems: Mapping[str, str]) -> dict[str, Any]:
    """Return one row for programs: texts as the table holds them, words in English."""
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


def recorded(changes: Iterable[SystemConfigChange]) -> str:
    """Return changes of the history for people."""
    titles = (_("number"), _("at (UTC)"), _("key"), _("old → new"), _("source"), _("who"), _("from where"))
    return table([titles, *map(_change_cells, changes)])


def _change_cells(change: SystemConfigChange) -> tuple[str, ...]:
    key = f"{change.old_key} → {change.key}" if change.old_key else change.key
    return (
        str(change.pk),
        utc(change.at),
        shown(key),
        f"{shown(change.old_value)} → {shown(change.new_value)}",
        change.get_source_display(),
        shown(change.actor),
        shown(change.origin),
    )


def change_entry(change: SystemConfigChange) -> dict[str, Any]:
    """Return one change for programs."""
    fields = ("key", "old_key", "action", "old_value", "new_value", "source", "actor", "origin")
    return {
        "number": change.pk,
        "at": change.at.isoformat(),
        **{name: getattr(change, name) for name in fields},
    }


def steps_shown(steps: Iterable[Step]) -> str:
    """Return what would change, for people; what needs a second look is marked in words."""
    return table(
        [(shown(step.key) + ":", f"{shown(step.old)} → {shown(step.new)}", _note(step)) for step in steps]
    )


def _note(step: Step) -> str:
    if step.raises_risk:
        return _("RAISES RISK")
    return _("NEW KEY, NOT REGISTERED") if step.adds_unregistered else ""
