"""Who is asking: only staff and bearers of the token see messages, latencies, panels (docs/health.md, 11)."""

import hmac

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error, connection
from django.http import HttpRequest

from healthcheck.aside import TookTooLong
from healthcheck.engine import engine


def may_see_details(request: HttpRequest, *, database_down: bool) -> bool:
    """Tell whether the caller bears the token or is signed in as staff.

    Who is signed in is a question to the database. While that is down, or does not answer in time, nobody is.
    """
    return _bears_token(request) or (not database_down and _is_staff(request))


def _bears_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.HEALTH_TOKEN
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), expected.encode())


def _is_staff(request: HttpRequest) -> bool:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False

    def signed_in_as_staff() -> bool:
        user = request.user
        return not isinstance(user, AnonymousUser) and user.is_active and user.is_staff

    if connection.in_atomic_block:  # what the transaction has written can be seen only here
        return signed_in_as_staff()
    try:
        return engine().aside.run(signed_in_as_staff)
    except (TookTooLong, Error):
        return False
