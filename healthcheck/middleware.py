"""Answers `/livez` and `/readyz` before any other middleware runs.

A probe may send any Host header, uses plain http, has no session, and takes a redirect for success. So its
request must reach neither the host check, nor the https redirect, nor anything that reads the database.
After SIGTERM `/readyz` fails first, so that a load balancer stops sending requests here.

See docs/health.md, "Where to ask" and rule 24.
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
    """Make `/readyz` fail from now on, and call `then` after `seconds`. Further calls do nothing."""
    if _draining.is_set():
        return
    _draining.set()
    timer = threading.Timer(seconds, then)
    timer.daemon = True
    timer.start()


class ProbeMiddleware:
    """Must be the first entry of `MIDDLEWARE`."""

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
    """Alive means that the process runs this line; no dependency counts."""
    return 200


def _ready() -> int:
    """Ready means: not draining, and the database answers, accepts writes and has all migrations.

    A maintenance window does not hide a real failure here; a rehearsed failure of the database makes it
    unready.
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
        # The caller always gets JSON.
        logger.exception("health.broken")
        return 500


def _response(status: int) -> HttpResponse:
    bodies = {
        200: b'{"status":"healthy"}',
        503: b'{"status":"unhealthy"}',
        500: b'{"error":"health check could not run"}',
    }
    return HttpResponse(bodies[status], status=status, content_type="application/json", headers=_HEADERS)
