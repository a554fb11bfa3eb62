"""Who is asking: only staff and bearers of the token see messages, latencies, panels (docs/health.md, 11)."""

import hmac
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from healthcheck.engine.bounded import TookTooLong
from healthcheck.engine.engine import engine


def may_see_details(request: HttpRequest, *, database_down: bool) -> bool:
    """Tell whether the caller bears the token or is signed in as staff.

    Who is signed in is a question to the database. While that is down, or does not answer in time, nobody is.
    """
    return bears_token(request) or (not database_down and _is_staff(request))


def is_staff_or_bearer(request: HttpRequest) -> bool:
    """Tell the same where no snapshot is at hand; the bearer of the token waits for no database."""
    return bears_token(request) or (
        engine().component("database").raw.status != "unhealthy" and _is_staff(request)
    )


def for_staff_or_bearer(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer a JSON 403 to all others, and let nobody keep either answer."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if is_staff_or_bearer(request):
            response = view(request)
        else:
            response = JsonResponse({"error": "sign in as staff, or send the bearer token"}, status=403)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def bears_token(request: HttpRequest) -> bool:
    """Tell whether the caller sends the token, which needs no database."""
    # Not `request.headers`: making that of all headers is a tenth of the whole answer's time.
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    expected = settings.HEALTH_TOKEN
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), expected.encode())


def _is_staff(request: HttpRequest) -> bool:
    try:
        return is_signed_in_staff(request)
    except (TookTooLong, Error):
        return False


def is_signed_in_staff(request: HttpRequest) -> bool:
    """Tell whether the session is one of staff, within a second.

    Raises:
        TookTooLong, django.db.Error: the database does not tell.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False

    def signed_in_as_staff() -> bool:
        user = request.user
        return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff

    if connection.in_atomic_block:  # what the transaction has written can be seen only here
        return signed_in_as_staff()
    return engine().aside.run(signed_in_as_staff)
