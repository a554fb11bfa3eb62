"""Who may see what: staff and bearers of the token see messages and latencies (docs/health.md, 11, 27)."""

import hmac
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from healthcheck.engine.bounded_thread import CallTimedOut
from healthcheck.engine.engine import engine
from healthcheck.redaction import redacted
from healthcheck.snapshot import Snapshot

logger = structlog.get_logger(__name__)

View = Callable[..., HttpResponse]
T = TypeVar("T")


def answers_always(view: View) -> View:
    """Make a view that is never cached, takes only safe methods, and turns its own errors into a JSON 500."""

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        try:
            response = view(request, **captured)
        except Exception:
            # Whatever broke, a monitor gets JSON, and no exception text.
            logger.exception("health.broken", path=request.path)
            response = JsonResponse({"error": "health check could not run"}, status=500)
        response.content = redacted(response.content)
        response.headers.setdefault("Cache-Control", "no-store")
        return logged_by_transition(response)

    # A transaction would be opened before the view, and fail with the database.
    return require_safe(transaction.non_atomic_requests(answer))


def staff_page(view: View) -> View:
    """Show a page to staff and to bearers of the token; send all others to sign in.

    Answers 503 while the database can't tell who is signed in. Never cached, safe methods only, no secrets.
    """

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        response = _page(request, view, captured)
        response.content = redacted(response.content)
        response.headers["Cache-Control"] = "no-store"
        return response

    # A transaction would be opened before the view, and fail with the database.
    return require_safe(transaction.non_atomic_requests(answer))


def staff_json(view: View) -> View:
    """Answer staff and bearers of the token, all others a JSON 403. Safe methods only, never cached."""

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        if may_see_details(request):
            response = view(request, **captured)
        else:
            response = JsonResponse({"error": "sign in as staff, or send the bearer token"}, status=403)
        response.headers["Cache-Control"] = "no-store"
        return response

    return require_safe(answer)


def may_see_details(request: HttpRequest, snapshot: Snapshot | None = None) -> bool:
    """Tell whether the caller bears the token or is signed in as staff.

    Only the database knows who is signed in. Whether it is down is read from `snapshot` if there is one.
    """
    if _bears_token(request):
        return True
    try:
        return not _database_is_down(snapshot) and _is_signed_in_staff(request)
    except (CallTimedOut, DatabaseError):
        return False


def unknown_name_page(request: HttpRequest, name: str, known: Sequence[tuple[str, str]]) -> HttpResponse:
    """Answer 404 with what is `known`: each name with its page's address."""
    return render(request, "status/unknown.html", {"name": name, "known": known}, status=404)


def query_or_none(query: Callable[[], T]) -> T | None:
    """Return what `query` reads; None while the database is down, or when that takes over a second."""
    if _database_is_down():
        return None
    try:
        return _within_limit(query)
    except (CallTimedOut, DatabaseError):
        return None


def logged_by_transition(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging each 503: the engine logs the change, once."""
    response._has_been_logged = True  # type: ignore[attr-defined] # noqa: SLF001 - Django has no public name for it
    return response


def _page(request: HttpRequest, view: View, captured: dict[str, str]) -> HttpResponse:
    if _bears_token(request):
        return view(request, **captured)
    try:
        if _database_is_down():
            return _no_database(request)
        if _is_signed_in_staff(request):
            return view(request, **captured)
    except (CallTimedOut, DatabaseError):
        return _no_database(request)
    return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)


def _no_database(request: HttpRequest) -> HttpResponse:
    return render(request, "status/no_database.html", status=503)


def _bears_token(request: HttpRequest) -> bool:
    # Not `request.headers`: making that of all headers is a tenth of the whole answer's time.
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    expected = settings.HEALTH_TOKEN
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), expected.encode())


def _is_signed_in_staff(request: HttpRequest) -> bool:
    """Ask the session, within a second. Raises CallTimedOut, django.db.Error."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False

    def signed_in_as_staff() -> bool:
        user = request.user
        return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff

    return _within_limit(signed_in_as_staff)


def _within_limit(query: Callable[[], T]) -> T:
    if connection.in_atomic_block:  # what the transaction has written can be seen only here
        return query()
    return engine().bounded.call(query)


def _database_is_down(snapshot: Snapshot | None = None) -> bool:
    if snapshot is not None:
        return snapshot.is_unhealthy("database")
    return engine().component("database").raw.status == "unhealthy"
