"""Formats times for people: in the viewer's zone with UTC, or as plain text (docs/health.md, rule 28)."""

from datetime import UTC, datetime, tzinfo

from django import template
from django.templatetags.tz import do_timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from healthcheck.zones import site_zone, viewer_zone

register = template.Library()

_FORMS = {
    "exact": "%Y-%m-%d %H:%M:%S.%f",
    "dated": "%Y-%m-%d %H:%M:%S",
    "dated minutes": "%Y-%m-%d %H:%M",
    "seconds": "%m-%d %H:%M:%S",
    "minutes": "%m-%d %H:%M",
    "time": "%H:%M:%S",
    "time minutes": "%H:%M",
}
_WITHOUT_DATE = {"dated": "time", "seconds": "time", "minutes": "time minutes"}


@register.simple_tag
def moment(at: datetime, form: str = "seconds") -> SafeString:
    """Return a `<time>` element that shows an aware time in the viewer's zone and in UTC.

    UTC has its own date only where it differs. `form`: `seconds`, `minutes`, or `dated` with the year.
    """
    there, utc = at.astimezone(viewer_zone()), at.astimezone(UTC)
    name = _name(there)
    shown = f"{there.strftime(_FORMS[form])} {name}"
    stamp = utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if name == "UTC":
        return format_html('<time datetime="{}">{}</time>', stamp, shown)
    utc_text = utc.strftime(_FORMS[_WITHOUT_DATE[form] if there.date() == utc.date() else form])
    return format_html(
        '<time datetime="{}">{} <span class="utc">· {} UTC</span></time>', stamp, shown, utc_text
    )


@register.filter
def moment_text(at: datetime, form: str = "dated", zone: tzinfo = UTC) -> str:
    """Return an aware time as text, without the name of the zone.

    >>> moment_text(datetime(2026, 1, 24, 12, tzinfo=UTC))
    '2026-01-24 12:00:00'
    """
    return at.astimezone(zone).strftime(_FORMS[form])


def iso(at: datetime | None) -> str | None:
    """Return an aware time in the format of JSON and logs; None for None.

    >>> iso(datetime(2026, 1, 24, 12, tzinfo=UTC))
    '2026-01-24T12:00:00Z'
    """
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def site_moment(at: datetime) -> str:
    """Return an aware time in the site's zone, with the zone's name: for texts without a viewer."""
    there = at.astimezone(site_zone())
    return f"{there.strftime(_FORMS['dated'])} {_name(there)}"


@register.filter
def theirs(at: datetime) -> datetime:
    """Convert a time for Django's `date` filter, so that it shows the viewer's zone."""
    moved: datetime = do_timezone(at, viewer_zone())
    return moved


@register.simple_tag
def zone_name(at: datetime) -> str:
    """Return the name of the viewer's zone at that time, e.g. KST."""
    return _name(at.astimezone(viewer_zone()))


def _name(there: datetime) -> str:
    name = there.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"  # many zones have only an offset
