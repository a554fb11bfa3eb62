"""Asks for a confirmation of every change that raises the risk (docs/configuration.md, "In admin").

A page makes its change in a transaction and calls `require`. Unless exactly these values were confirmed, that
raises `Unconfirmed`; the transaction is rolled back, and the view returns `page`, which asks.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sysconfig import registry
from sysconfig.change_plan import Step

FIELD = "confirmed"
GOOD_FOR = timedelta(minutes=10)
_SALT = "sysconfig.admin_pages.confirmation"
_NOT_REPEATED = (FIELD, "csrfmiddlewaretoken")


class Unconfirmed(Exception):
    """These steps lack a confirmation. The transaction around them must be rolled back."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        super().__init__(", ".join(step.key for step in steps))


def require(request: HttpRequest, steps: Sequence[Step]) -> None:
    """Raise Unconfirmed unless `request` contains its user's recent confirmation of exactly `steps`."""
    try:
        confirmed = signing.loads(request.POST.get(FIELD, ""), salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise Unconfirmed(steps) from None
    if confirmed != _confirmed_content(request, steps):
        raise Unconfirmed(steps)


def page(request: HttpRequest, steps: Sequence[Step], context: dict[str, Any]) -> HttpResponse:
    """Show old → new of every step and ask. The button repeats the request with a signed confirmation.

    `context` needs the admin site's own context, `title`, `opts` and `back`, the URL for "cancel".
    """
    repeated = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _NOT_REPEATED
        for value in values
    ]
    answered = {
        "steps": [(step, registry.find(step.key)) for step in steps],
        "risky": any(step.raises_risk for step in steps),
        "outdated": FIELD in request.POST,
        "repeated": repeated,
        "field": FIELD,
        "token": signing.dumps(_confirmed_content(request, steps), salt=_SALT, compress=True),
    }
    return TemplateResponse(request, "admin/sysconfig/confirm.html", {**context, **answered})


def _confirmed_content(request: HttpRequest, steps: Sequence[Step]) -> list[Any]:
    return [str(request.user.pk), *map(list, steps)]
