"""`/livez` and `/readyz`, answered before every other middleware (docs/health.md, 19 and 24).

A prober comes with any Host, over plain http, without a session, and counts a redirect as success; so its
question must not reach the host check, the https redirect, or anything that asks the database.

A process told to end is unready first, so that a balancer looks elsewhere.
"""

import threading
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from healthcheck.access import logged_by_transition
from healthcheck.engine.engine import engine

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

_draining = threading.Event()
_SAFE_METHODS = ("GET", "HEAD")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def begin_draining(seconds: float, then: Callable[[], object]) -> None:
    """Be unready from now on, and call `then` after `seconds`. A second call changes nothing."""
    if _draining.is_set():
        return
    _draining.set()
    timer = threading.Timer(seconds, then)
    timer.daemon = True
    timer.start()


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

    A maintenance window makes nothing ready that is not; a rehearsal is obeyed.
    """
    if _draining.is_set():
        return 503
    database = engine().component("database")
    found = database.finding if database.override == "rehearsal" else database.raw
    return 200 if found.status == "healthy" or found.ready else 503


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
