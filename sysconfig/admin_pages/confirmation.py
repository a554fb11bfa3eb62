"""A change that raises the risk needs a confirmation of exactly its values (docs/configuration.md).

A page makes its change in a transaction and calls `require`. Without a confirmation of just these values that
raises `Unconfirmed`, the transaction is rolled back, and `page` asks.
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
    """These steps lack a confirmation: the transaction around them must not be committed."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        super().__init__(", ".join(step.key for step in steps))


def require(request: HttpRequest, steps: Sequence[Step]) -> None:
    """Raise Unconfirmed unless `request` carries its user's recent confirmation of exactly `steps`."""
    try:
        confirmed = signing.loads(request.POST.get(FIELD, ""), salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise Unconfirmed(steps) from None
    if confirmed != _said(request, steps):
        raise Unconfirmed(steps)


def page(request: HttpRequest, steps: Sequence[Step], context: dict[str, Any]) -> HttpResponse:
    """Ask: old → new of every step. The answer repeats the request, together with the confirmation.

    `context` has the admin site's own, `title`, `opts` and `back`: where one goes who changes nothing.
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
        "token": signing.dumps(_said(request, steps), salt=_SALT, compress=True),
    }
    return TemplateResponse(request, "admin/sysconfig/confirm.html", {**context, **answered})


def _said(request: HttpRequest, steps: Sequence[Step]) -> list[Any]:
    return [str(request.user.pk), *map(list, steps)]
