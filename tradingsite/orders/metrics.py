"""OpenMetrics about orders, read from the database, so that every web process reports the same."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

from django.db.models import Count, DurationField, ExpressionWrapper, F, Max
from django.db.models.functions import Now
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from tradingsite.orders.models import ACTIVE_STATES, Order, OrderState, Side

DAY = timedelta(hours=24)
_AGE = ExpressionWrapper(Now() - F("created_at"), DurationField())


def families() -> Iterator[Metric]:
    """Yield the metric families, with two queries. Raises django.db.Error."""
    yield from _active()
    yield _last_day()


def _active() -> Iterator[Metric]:
    found = Order.objects.active().values("state").annotate(count=Count("pk"), oldest=Max(_AGE))
    states = {row["state"]: row for row in found}
    counts = GaugeMetricFamily(
        "orders_active", "Orders that may still change on the exchange.", labels=["state"]
    )
    for state in ACTIVE_STATES:
        counts.add_metric([state], states[state]["count"] if state in states else 0)
    yield counts
    oldest = max((row["oldest"] for row in states.values()), default=timedelta())
    yield GaugeMetricFamily(
        "orders_oldest_active_age_seconds",
        "Age of the oldest active order; 0 without any.",
        value=oldest.total_seconds(),
        unit="seconds",
    )


def _last_day() -> Metric:
    family = GaugeMetricFamily(
        "orders_last_day",
        "Orders made in the last 24 hours, by their current state.",
        labels=["side", "state"],
    )
    rows = Order.objects.filter(created_at__gt=Now() - DAY)
    found = {
        (side, state): count for side, state, count in rows.values_list("side", "state").annotate(Count("pk"))
    }
    for state, side in product(OrderState.values, Side.values):
        family.add_metric([side, state], found.get((side, state), 0))
    return family
