"""The time zone in which a page shows times: the viewer's, as their browser reports it.

See docs/health.md, rule 28.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "timezone"

# Not Django's active time zone: forms and admin interpret input in that one.
_viewer: ContextVar[ZoneInfo | None] = ContextVar("viewer_zone", default=None)


def viewer_zone() -> ZoneInfo:
    """Return the zone of the current request's viewer; the site's zone when the browser sent none."""
    return _viewer.get() or site_zone()


def site_zone() -> ZoneInfo:
    """Return `HEALTH_TIME_ZONE`: for days of the history and for texts without a viewer, such as alerts."""
    return ZoneInfo(settings.HEALTH_TIME_ZONE)


def in_viewers_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: read the zone from the cookie that `zone.js` sets. An unknown name is ignored."""

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
    return frozenset(available_timezones())  # reads several hundred files
