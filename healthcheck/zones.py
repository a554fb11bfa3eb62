"""Whose time a page shows: the viewer's, as their browser says it, and UTC (docs/health.md, 28)."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "timezone"

# Not Django's active time zone: forms and admin read and write times by that one.
_viewer: ContextVar[ZoneInfo | None] = ContextVar("viewer_zone", default=None)


def viewer_zone() -> ZoneInfo:
    """Return the zone of the request under way; the site's own where the browser said none."""
    return _viewer.get() or site_zone()


def site_zone() -> ZoneInfo:
    """Return `HEALTH_TIME_ZONE`: of the history's days, and of texts without a viewer, such as alerts."""
    return ZoneInfo(settings.HEALTH_TIME_ZONE)


def in_viewers_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: take the zone from the cookie that `zone.js` sets. What is no zone's name is ignored."""

    def answer(request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(COOKIE, "")
        token = _viewer.set(ZoneInfo(name) if name in _names() else None)
        try:
            return get_response(request)
        finally:
            _viewer.reset(token)

    return answer


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())  # a look at several hundred files
