"""Formats a value, a change and its source for the tables in admin."""

from typing import NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from sysconfig.changes import SystemConfigChange
from sysconfig.moments import utc_html

_SHOWN = 120  # characters of a value in a table; the page of a setting or change shows all of it


def short(text: str) -> str:
    return Truncator(text).chars(_SHOWN)


def source(name: str) -> SafeString:
    """Return the label of a source; the one that bypasses all checks, SQL, is highlighted."""
    label = SystemConfigChange.Source(name).label
    mark = "source unchecked" if name == SystemConfigChange.Source.SQL else "source"
    return format_html('<span class="{}">{}</span>', mark, label)


class ChangeRow(NamedTuple):
    change: SystemConfigChange
    when: SafeString
    old_to_new: SafeString
    source: SafeString


def row(change: SystemConfigChange) -> ChangeRow:
    return ChangeRow(change, utc_html(change.at), old_to_new(change), source(change.source))


def old_to_new(change: SystemConfigChange) -> SafeString:
    """Return old → new value, and for a rename the old and new key."""
    values = _arrow(change.old_value, change.new_value)
    if change.action == SystemConfigChange.Action.RENAME:
        return format_html("{} ({} → {})", values, change.old_key, change.key)
    if change.action in (SystemConfigChange.Action.DELETE, SystemConfigChange.Action.TRUNCATE):
        return format_html("{} ({})", values, change.get_action_display())
    return values


def _arrow(old: str | None, new: str | None) -> SafeString:
    return format_html(
        '<span class="old">{}</span> → <strong class="new">{}</strong>', _shown(old), _shown(new)
    )


def _shown(text: str | None) -> StrOrPromise:
    if text is None:
        return _("no row")
    return short(text) if text else _("(empty)")
