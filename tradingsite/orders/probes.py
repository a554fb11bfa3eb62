"""Health of the orders: whether any hangs in a state it should have left."""

from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from tradingsite.orders.models import Order, State

OLD = timedelta(minutes=15)
"""Three rounds of the reconciliation, which runs every five minutes."""
UNKNOWN_LIMIT = timedelta(minutes=20)
"""By then evidence should have said what became of it: three looks over ten minutes."""


def recent_order() -> Finding:
    """Judge the active orders by their age, by the database's clock."""
    facts = Order.objects.active().aggregate(
        active=Count("pk"),
        old=Count("pk", filter=Q(created_at__lt=Now() - OLD)),
        unclear=Count("pk", filter=Q(state=State.UNKNOWN, created_at__lt=Now() - UNKNOWN_LIMIT)),
    )
    if facts["unclear"]:
        text = gettext_noop("orders unknown for over %(limit)s min: %(n)s; look them up at Upbit")
        return Finding("unhealthy", text, n=facts["unclear"], limit=_minutes(UNKNOWN_LIMIT))
    if facts["old"]:
        text = gettext_noop("active orders older than %(limit)s min: %(old)s of %(active)s")
        return Finding("warning", text, old=facts["old"], active=facts["active"], limit=_minutes(OLD))
    if facts["active"]:
        text = gettext_noop("active orders: %(active)s, none older than %(limit)s min")
        return Finding("healthy", text, active=facts["active"], limit=_minutes(OLD))
    if not Order.objects.exists():
        return Finding("warning", gettext_noop("no order yet"))
    return Finding("healthy", gettext_noop("no active order"))


def _minutes(span: timedelta) -> int:
    return int(span / timedelta(minutes=1))
