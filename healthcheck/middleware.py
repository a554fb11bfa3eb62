"""Answers health requests that need fewer middlewares than a page does.

`/livez` and `/readyz` are answered before any other middleware. A probe may send any Host header, uses plain
http, has no session, and takes a redirect for success. So its request must reach neither the host check, nor
the https redirect, nor anything that reads the database. After SIGTERM `/readyz` fails first, so that a load
balancer stops sending requests here.

JSON for callers without a session is answered before session, language and CSRF, which cost more than the
answer itself.

See docs/health.md, "Endpoints" and rules 19, 24 and 29.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import cast

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.urls import NoReverseMatch, get_script_prefix, resolve, reverse

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


class SessionlessMiddleware:
    """The entry of `MIDDLEWARE` before `SessionMiddleware`; what it skips cannot change these answers.

    A request with a session cookie, with another method than GET or HEAD, or with a Host that is not allowed
    goes through all of `MIDDLEWARE`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        inner = cast("GetResponse", XFrameOptionsMiddleware(self._view))
        self._answer = cast("GetResponse", CommonMiddleware(inner))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in self._views or not _without_session(request):
            return self._get_response(request)
        try:
            response = self._answer(request)
        except DisallowedHost:
            return self._get_response(request)
        varies = response.headers.get("Vary")  # as LocaleMiddleware has it: an address has one Vary
        response.headers["Vary"] = f"{varies}, Accept-Language" if varies else "Accept-Language"
        return response

    def _view(self, request: HttpRequest) -> HttpResponse:
        return self._views[request.path_info](request)

    @cached_property
    def _views(self) -> dict[str, GetResponse]:
        """Return the JSON views by path, with and without a slash; none where the site has no health URLs."""
        names = ("health", "detail", "schema", "abilities")
        try:
            urls = [reverse(f"healthcheck:{name}") for name in names]
        except NoReverseMatch:
            return {}
        paths = ["/" + url.removeprefix(get_script_prefix()) for url in urls]
        return {path: resolve(path).func for bare in paths for path in (bare, f"{bare}/")}


def _without_session(request: HttpRequest) -> bool:
    return request.method in _SAFE_METHODS and settings.SESSION_COOKIE_NAME not in request.COOKIES


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
