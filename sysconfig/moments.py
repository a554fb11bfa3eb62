"""Formats times for people: in UTC, and as the time that has passed since."""

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

_MINUTE_S = 60


def utc(at: datetime) -> str:
    """Return a time such as `2026-01-31 09:30:00`, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def ago(at: datetime, now: datetime | None = None) -> str:
    """Return the time since `at` in its largest unit, in the active language: `3 hours ago`."""
    now = now or timezone.now()
    if (now - at).total_seconds() < _MINUTE_S:
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(at, now, depth=1)}


def ago_html(at: datetime) -> SafeString:
    """Return a `<time>` element with the text of `ago` and a UTC tooltip."""
    text = '<time datetime="{}" title="{} UTC">{}</time>'
    return format_html(text, at.isoformat(), utc(at), ago(at))


def utc_html(at: datetime) -> SafeString:
    """Return a `<time>` element in UTC, followed by the text of `ago`."""
    text = '<time datetime="{}">{} UTC</time> <span class="quiet">{}</span>'
    return format_html(text, at.isoformat(), utc(at), ago(at))
