"""`/livez` and `/readyz`, answered before every other middleware (docs/health.md).

A prober comes with any Host, over plain http, without a session, and counts a redirect as success; so its
question must not reach the host check, the https redirect, or anything that asks the database.
"""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from healthcheck.draining import is_draining
from healthcheck.engine.engine import engine
from healthcheck.report import ReadyAnyway
from healthcheck.views import logged_by_transition

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

_SAFE_METHODS = ("GET", "HEAD")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ProbeMiddleware:
    """The first entry of `MIDDLEWARE`."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._answers: dict[str, Callable[[], int]] = {"/livez": _live, "/readyz": _ready}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._answers.get(request.path_info.removesuffix("/"))
        if answer is None:
            return self._get_response(request)
        if request.method not in _SAFE_METHODS:
            return HttpResponseNotAllowed(_SAFE_METHODS, headers=_HEADERS)
        return logged_by_transition(_response(_status_or_500(answer)))


def _live() -> int:
    """The process runs this line; nothing else matters."""
    return 200


def _ready() -> int:
    """Ready is: not about to end, and the database answers, may be written to, and has all migrations.

    A maintenance window makes nothing ready that is not; a rehearsal is obeyed (rule 19).
    """
    if is_draining():
        return 503
    database = engine().component("database")
    found = database.finding if database.override == "rehearsal" else database.raw
    return 200 if found.status == "healthy" or isinstance(found, ReadyAnyway) else 503


def _status_or_500(answer: Callable[[], int]) -> int:
    try:
        return answer()
    except Exception:
        # A prober gets JSON, whatever broke.
        logger.exception("health.broken")
        return 500


def _response(status: int) -> HttpResponse:
    bodies = {
        200: b'{"status":"healthy"}',
        503: b'{"status":"unhealthy"}',
        500: b'{"error":"health check could not run"}',
    }
    return HttpResponse(bodies[status], status=status, content_type="application/json", headers=_HEADERS)
