"""Template filter for durations, in the active language: `2 min 11 s`."""

from datetime import timedelta

from django import template
from django.utils.translation import gettext

register = template.Library()


@register.filter
def duration(span: timedelta | float | None) -> str:
    """Return a duration (seconds or a timedelta) in its two largest units; a negative one counts as 0 s.

    >>> duration(131.4)
    '2 min 11 s'
    >>> duration(timedelta(hours=26))
    '1 d 2 h'
    >>> duration(None)
    ''
    """
    if span is None:
        return ""
    seconds = max(0, int(span.total_seconds() if isinstance(span, timedelta) else span))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return _joined((gettext("%(n)d d"), days), (gettext("%(n)d h"), hours))
    if hours:
        return _joined((gettext("%(n)d h"), hours), (gettext("%(n)d min"), minutes))
    if minutes:
        return _joined((gettext("%(n)d min"), minutes), (gettext("%(n)d s"), seconds))
    return gettext("%(n)d s") % {"n": seconds}


def _joined(large: tuple[str, int], small: tuple[str, int]) -> str:
    """Leave out the smaller unit when it is 0."""
    return " ".join(text % {"n": n} for text, n in (large, small) if n)
