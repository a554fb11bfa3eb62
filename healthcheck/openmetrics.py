"""`/metrics` in the OpenMetrics format, from the functions listed in `METRIC_SOURCES`.

See docs/health.md, "What is said".
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
from healthcheck.declared import imported
from healthcheck.engine.engine import engine
from healthcheck.models import HealthState
from healthcheck.report import Status
from healthcheck.snapshot import OverrideEffect, Snapshot

logger = structlog.get_logger(__name__)

_errors: Counter[str] = Counter()  # source -> failures in this process


class _Scrape:
    """The families of one scrape, in the form that prometheus_client formats.

    Nothing is registered globally.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition() -> tuple[bytes, str]:
    """Return the figures of this process, and their content type."""
    return b"".join(_expositions()) + b"# EOF\n", CONTENT_TYPE_LATEST


def families() -> Iterator[Metric]:
    """Yield the metrics of the current snapshot, and since when each damped state lasts."""
    snapshot = engine().snapshot()
    yield _states(snapshot)
    yield _abilities(snapshot)
    yield _ages(snapshot)
    yield _latencies(snapshot)
    yield _since(snapshot)
    yield _overrides(snapshot)


def _expositions() -> Iterator[bytes]:
    for path in settings.METRIC_SOURCES:
        try:
            yield _written(imported(path)())
        except Exception:  # one failing source must not hide the others
            _errors[path] += 1
            logger.exception("metrics.source_failed", source=path)
    failures = CounterMetricFamily(
        "metrics_source_errors", "Scrapes that lack a source because it failed.", labels=["source"]
    )
    for path in settings.METRIC_SOURCES:
        failures.add_metric([path], _errors[path])
    yield _written([failures])


def _written(families: Iterable[Metric]) -> bytes:
    # Each source is formatted separately, so that an invalid family fails only its own source.
    written: bytes = generate_latest(_Scrape(list(families)))  # type: ignore[no-untyped-call]  # not annotated
    return written.removesuffix(b"# EOF\n")


def _states(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_state", "1 for the state the component is in.", labels=["component", "state"]
    )
    for component in snapshot.components:
        for status in get_args(Status):
            family.add_metric([component.name, status], component.status == status)
    return family


def _abilities(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily("health_ability", "1 for the answer in force.", labels=["ability", "answer"])
    for ability in snapshot.abilities:
        for answer in get_args(Answer):
            family.add_metric([ability.name, answer], ability.answer == answer)
    return family


def _overrides(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_override",
        "1 while this override, a maintenance or a rehearsal, is in force.",
        labels=["component", "kind"],
    )
    for component in snapshot.components:
        for kind in filter(None, get_args(OverrideEffect)):
            family.add_metric([component.name, kind], component.override == kind)
    return family


def _ages(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily("health_component_age_seconds", "Age of the result.", labels=["component"])
    for component in snapshot.components:
        family.add_metric([component.name], component.age_s)
    return family


def _latencies(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "health_component_latency_seconds", "How long it took; none on a time-out.", labels=["component"]
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
            return family  # the database went down just now: the other figures are still valid
    return family
