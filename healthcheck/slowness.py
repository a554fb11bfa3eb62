"""Slow is what takes much longer than this component usually does (docs/health.md, 18)."""

from collections.abc import Mapping
from dataclasses import replace

from healthcheck.declared import ProbeTask
from healthcheck.report import Slow
from healthcheck.snapshot import Component

_TIMES = 3
"""An answer is slow above so many times the usual 95th percentile."""


def with_slowness(component: Component, task: ProbeTask, usual_p95_ms: Mapping[str, float]) -> Component:
    """Return the component with a warning if it is healthy but slow; without a usual time nothing is."""
    usual_ms, took_ms = usual_p95_ms.get(component.name), component.latency_ms
    if usual_ms is None or took_ms is None or task.slow_ms is None:
        return component
    if component.status != "healthy" or component.paused or took_ms <= max(_TIMES * usual_ms, task.slow_ms):
        return component
    return replace(component, finding=Slow(took_ms, usual_ms))
