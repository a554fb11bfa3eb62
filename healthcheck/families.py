"""Health as metrics: each component's state, age and latency, since when, and what the site can do."""

from collections.abc import Iterator
from typing import get_args

from django.db import Error as DatabaseError
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from healthcheck.abilities import Answer
from healthcheck.engine.engine import engine
from healthcheck.models import HealthState
from healthcheck.report import Status
from healthcheck.snapshot import Imposition, Snapshot


def families() -> Iterator[Metric]:
    """Yield what the snapshot in force says; the state after damping while the database can be asked."""
    snapshot = engine().snapshot()
    yield _states(snapshot)
    yield _abilities(snapshot)
    yield _ages(snapshot)
    yield _latencies(snapshot)
    yield _since(snapshot)
    yield _overrides(snapshot)


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
        "1 while staff impose this, a maintenance or a rehearsal.",
        labels=["component", "kind"],
    )
    for component in snapshot.components:
        for kind in filter(None, get_args(Imposition)):
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
            return family  # it went down this moment: the other figures still hold
    return family
