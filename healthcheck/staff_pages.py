"""Pages behind the status page, for whoever may see messages (docs/health.md, 27)."""

from collections.abc import Callable, Sequence
from functools import wraps

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import Error as DatabaseError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from healthcheck.access import bears_token, is_signed_in_staff
from healthcheck.engine.bounded import TookTooLong
from healthcheck.engine.engine import engine
from healthcheck.redaction import redacted

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    """Show a page to staff and to bearers of the token; send all others to sign in.

    While the database can't tell who asks, that is what the page says. Nothing is kept, only safe methods are
    taken, and secrets are struck out as in every answer of health (rule 26).
    """

    @wraps(view)
    def answer(request: HttpRequest, **captured: str) -> HttpResponse:
        response = _answer(request, view, captured)
        response.content = redacted(response.content)
        response.headers["Cache-Control"] = "no-store"
        return response

    # A transaction would be opened before the view, and fail with the database.
    return require_safe(transaction.non_atomic_requests(answer))


def unknown(request: HttpRequest, name: str, known: Sequence[tuple[str, str]]) -> HttpResponse:
    """Answer 404 with what is `known`: each name with its page's address."""
    return render(request, "status/unknown.html", {"name": name, "known": known}, status=404)


def _answer(request: HttpRequest, view: View, captured: dict[str, str]) -> HttpResponse:
    if bears_token(request):
        return view(request, **captured)
    try:
        if engine().component("database").raw.status == "unhealthy":
            return _nobody_can_tell(request)
        if is_signed_in_staff(request):
            return view(request, **captured)
    except (TookTooLong, DatabaseError):
        return _nobody_can_tell(request)
    return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)


def _nobody_can_tell(request: HttpRequest) -> HttpResponse:
    return render(request, "status/no_database.html", status=503)
