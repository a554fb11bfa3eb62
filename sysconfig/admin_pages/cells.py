"""How a value, a moment, a change and its author look in admin's tables."""

from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from sysconfig.changes import SystemConfigChange

_SHOWN = 120  # characters of a value in a table; the pages of one setting and of one change show all
_MINUTE_S = 60


def short(text: str) -> str:
    """Return so much of a value as a table has room for."""
    return Truncator(text).chars(_SHOWN)


def ago(at: datetime, now: datetime | None = None) -> str:
    """Return the time since `at` in its largest unit, in the active language: `3 hours ago`."""
    now = now or timezone.now()
    if (now - at).total_seconds() < _MINUTE_S:
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(at, now, depth=1)}


def exact(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def moment(at: datetime) -> SafeString:
    """Return a `<time>` that reads as words and tells the exact moment to who points at it."""
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact(at), ago(at))


def dated(at: datetime) -> SafeString:
    """Return a `<time>` that reads as the exact moment, followed by the same in words."""
    text = '<time datetime="{}">{}</time> <span class="quiet">{}</span>'
    return format_html(text, at.isoformat(), exact(at), ago(at))


def source(name: str) -> SafeString:
    """Return where a change came from; what passed no check is marked."""
    label = SystemConfigChange.Source(name).label
    mark = "source unchecked" if name == SystemConfigChange.Source.SQL else "source"
    return format_html('<span class="{}">{}</span>', mark, label)


class Line(NamedTuple):
    """One change as a table shows it."""

    change: SystemConfigChange
    when: SafeString
    old_to_new: SafeString
    source: SafeString


def line(change: SystemConfigChange) -> Line:
    return Line(change, dated(change.at), old_to_new(change), source(change.source))


def old_to_new(change: SystemConfigChange) -> SafeString:
    """Return what a change did to the value, and to the key when that got another name."""
    values = _arrow(change.old_value, change.new_value)
    if change.action == SystemConfigChange.Action.RENAME:
        return format_html("{} ({} → {})", values, change.old_key, change.key)
    if change.action in (SystemConfigChange.Action.DELETE, SystemConfigChange.Action.TRUNCATE):
        return format_html("{} ({})", values, change.get_action_display())
    return values


def _arrow(old: str | None, new: str | None) -> SafeString:
    return format_html(
        '<span class="old">{}</span> → <strong class="new">{}</strong>', _said(old), _said(new)
    )


def _said(text: str | None) -> StrOrPromise:
    if text is None:
        return _("no row")
    return short(text) if text else _("(empty)")
