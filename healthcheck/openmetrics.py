"""`/metrics` in the OpenMetrics format, from the functions listed in `METRIC_SOURCES`.

See docs/health.md, "The answer".
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from healthcheck.abilities import Answer
from healthcheck.declared import import_function
from healthcheck.engine.engine import engine
from healthcheck.models import HealthState
from healthcheck.report import Status
from healthcheck.snapshot import OverrideEffect, Snapshot

logger = structlog.get_logger(__name__)

_errors: Counter[str] = Counter()  # source -> failures in this process


class _OneScrapeRegistry:
    """The metric families of one scrape, as a registry that prometheus_client can format.

    It replaces prometheus_client's global registry, which is not used.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition() -> tuple[bytes, str]:
    """Return the metrics of this process as text, and the content type."""
    return b"".join(_formatted_sources()) + b"# EOF\n", CONTENT_TYPE_LATEST


def families() -> Iterator[Metric]:
    """Yield the metrics of the current snapshot, and when each damped state began."""
    snapshot = engine().snapshot()
    yield _states(snapshot)
    yield _abilities(snapshot)
    yield _ages(snapshot)
    yield _latencies(snapshot)
    yield _since(snapshot)
    yield _overrides(snapshot)


def _formatted_sources() -> Iterator[bytes]:
    for path in settings.METRIC_SOURCES:
        try:
            yield _formatted(import_function(path)())
        except Exception:  # one failing source must not hide the others
            _errors[path] += 1
            logger.exception("metrics.source_failed", source=path)
    failures = CounterMetricFamily(
        "metrics_source_errors", "Scrapes that left out this source because it failed.", labels=["source"]
    )
    for path in settings.METRIC_SOURCES:
        failures.add_metric([path], _errors[path])
    yield _formatted([failures])


def _formatted(families: Iterable[Metric]) -> bytes:
    # Each source is formatted separately, so that an invalid family fails only its own source.
    text: bytes = generate_latest(_OneScrapeRegistry(list(families)))  # type: ignore[no-untyped-call]  # not annotated
    return text.removesuffix(b"# EOF\n")


def _states(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_state", "1 for the state the component is in.", labels=["component", "state"]
    )
    for component in snapshot.components:
        for status in get_args(Status):
            family.add_metric([component.name, status], component.status == status)
    return family


def _abilities(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily("health_ability", "1 for the current answer.", labels=["ability", "answer"])
    for ability in snapshot.abilities:
        for answer in get_args(Answer):
            family.add_metric([ability.name, answer], ability.answer == answer)
    return family


def _overrides(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_override",
        "1 while this override is active: a maintenance or a rehearsal.",
        labels=["component", "kind"],
    )
    for component in snapshot.components:
        for kind in filter(None, get_args(OverrideEffect)):
            family.add_metric([component.name, kind], component.override == kind)
    return family


def _ages(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_age_seconds", "Age of the probe's result.", labels=["component"]
    )
    for component in snapshot.components:
        family.add_metric([component.name], component.age_s)
    return family


def _latencies(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_latency_seconds",
        "Duration of the probe's last run; absent after a time-out.",
        labels=["component"],
    )
    for component in snapshot.components:
        if component.latency_ms is not None:
            family.add_metric([component.name], component.latency_ms / 1000)
    return family


def _since(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_since_timestamp_seconds", "When the damped state began.", labels=["component"]
    )
    if not snapshot.is_unhealthy("database"):
        try:
            for state in HealthState.objects.all():
                family.add_metric([state.component], state.since.timestamp())
        except DatabaseError:
            return family  # the database has just gone down; the other metrics are still valid
    return family
