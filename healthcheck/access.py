"""Access control: messages and latencies are for staff and for callers with the bearer token.

See docs/health.md, rules 11 and 27.
"""

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
    """Decorate a JSON view: never cached, safe methods only, and a JSON 500 when the view itself fails."""

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        try:
            response = view(request, **captured)
        except Exception:
            # A monitor always gets JSON, and an exception text could hold a secret.
            logger.exception("health.broken", path=request.path)
            response = JsonResponse({"error": "health check could not run"}, status=500)
        response.content = redacted(response.content)
        response.headers.setdefault("Cache-Control", "no-store")
        if response.headers["Content-Type"].startswith("application/"):
            response.headers.setdefault("Content-Language", "en")  # whatever language the caller prefers
        return logged_by_transition(response)

    # ATOMIC_REQUESTS would open a transaction before the view, which fails while the database is down.
    return require_safe(transaction.non_atomic_requests(answer))


def staff_page(view: View) -> View:
    """Decorate a page for staff and callers with the token; everybody else is sent to the sign-in page.

    Answers 503 while the database can't say who is signed in. Never cached, safe methods only, secrets
    redacted.
    """

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        response = _page(request, view, captured)
        response.content = redacted(response.content)
        response.headers["Cache-Control"] = "no-store"
        return response

    # ATOMIC_REQUESTS would open a transaction before the view, which fails while the database is down.
    return require_safe(transaction.non_atomic_requests(answer))


def staff_json(view: View) -> View:
    """Decorate a JSON view for staff and callers with the token; everybody else gets a JSON 403.

    Never cached.
    """

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
    """Return whether the caller has the token or is signed in as staff.

    The session is in the database, so it is not read while the database is down. `snapshot`, if given, says
    whether it is; otherwise the engine is asked.
    """
    if _bears_token(request):
        return True
    try:
        return not _database_is_down(snapshot) and _is_signed_in_staff(request)
    except (CallTimedOut, DatabaseError):
        return False


def unknown_name_page(request: HttpRequest, name: str, known: Sequence[tuple[str, str]]) -> HttpResponse:
    """Answer 404 and list the `known` names, each with the URL of its page."""
    return render(request, "status/unknown.html", {"name": name, "known": known}, status=404)


def query_or_none(query: Callable[[], T]) -> T | None:
    """Return the result of `query`; None while the database is down, or after a second without an answer."""
    if _database_is_down():
        return None
    try:
        return _within_limit(query)
    except (CallTimedOut, DatabaseError):
        return None


def logged_by_transition(response: HttpResponse) -> HttpResponse:
    """Mark a response as logged, so that Django does not log every 503: the engine logs each change once."""
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
    # Not `request.headers`: parsing all headers takes a tenth of the time of the whole answer.
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    expected = settings.HEALTH_TOKEN
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), expected.encode())


def _is_signed_in_staff(request: HttpRequest) -> bool:
    """Read the session, within a second. Raises CallTimedOut, django.db.Error."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False

    def signed_in_as_staff() -> bool:
        user = request.user
        return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff

    return _within_limit(signed_in_as_staff)


def _within_limit(query: Callable[[], T]) -> T:
    if connection.in_atomic_block:  # another connection would not see what this transaction wrote
        return query()
    return engine().bounded.call(query)


def _database_is_down(snapshot: Snapshot | None = None) -> bool:
    if snapshot is not None:
        return snapshot.is_unhealthy("database")
    return engine().component("database").raw.status == "unhealthy"
