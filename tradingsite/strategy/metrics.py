"""OpenMetrics about signals and model calls.

Read from the database, so that every web process reports the same numbers.
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Sum
from django.db.models.functions import Now
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from tradingsite.strategy.models import ModelCall, TradingSignal

DAY = timedelta(hours=24)


def families() -> Iterator[Metric]:
    """Yield the metric families, with at most three queries. Raises django.db.Error."""
    yield _decisions()
    if newest := TradingSignal.objects.newest():
        yield GaugeMetricFamily(
            "signal_last_timestamp_seconds",
            "When the newest signal was made.",
            value=newest.created_at.timestamp(),
            unit="seconds",
        )
    yield from _calls()


def _decisions() -> Metric:
    family = GaugeMetricFamily(
        "signals_last_day", "Decisions of the last 24 hours.", labels=["decision", "reason"]
    )
    rows = TradingSignal.objects.filter(created_at__gt=Now() - DAY)
    found = rows.values_list("decision", "reason_code").annotate(Count("pk"))
    for decision, reason, count in found.order_by("decision", "reason_code"):
        family.add_metric([decision, reason], count)
    return family


def _calls() -> Iterator[Metric]:
    calls = GaugeMetricFamily(
        "model_calls_last_day", "Calls of the model in the last 24 hours.", labels=["outcome"]
    )
    cost = GaugeMetricFamily(
        "model_cost_usd_last_day", "Cost of the model calls of the last 24 hours, at list price."
    )
    rows = ModelCall.objects.filter(started_at__gt=Now() - DAY)
    found = rows.values_list("error_kind").annotate(Count("pk"), Sum("cost_usd")).order_by("error_kind")
    for kind, count, _usd in found:
        calls.add_metric([kind or "ok"], count)
    cost.add_metric([], float(sum(usd or 0 for *_, usd in found)))
    yield calls
    yield cost
