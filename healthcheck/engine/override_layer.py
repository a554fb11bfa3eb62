"""Applies what changes a measured state before it is shown: a warning for slowness, and overrides.

See docs/health.md, rules 18 and 19.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from healthcheck.declared import NamedTask, OwnTask, ProbeTask
from healthcheck.engine.active_overrides import OverrideReader, Read
from healthcheck.engine.slot import Clock, Slot, Work
from healthcheck.report import Finding
from healthcheck.snapshot import Component

# After `timeout_s` a caller goes on with the overrides known so far.
_READ_TASK = OwnTask(name="overrides", timeout_s=0.5, ttl_s=2, ttl_bad_s=2)
_SLOW_FACTOR = 3
"""An answer is slow when it takes more than this times the usual 95th percentile."""


class OverrideLayer:
    """Call every method while holding the engine's lock."""

    def __init__(
        self,
        read: Read,
        tasks: Iterable[ProbeTask],
        *,
        clock: Clock,
        slot: Callable[[NamedTask, Work[Any]], Slot[Any]],
    ) -> None:
        self._reader = OverrideReader(read, clock=clock)
        self._tasks: Mapping[str, ProbeTask] = {task.name: task for task in tasks}
        self._clock = clock
        self._read = slot(_READ_TASK, self._reader)

    def start_if_due(self) -> Slot[Any]:
        """Read the overrides if that is due; return the slot to wait for."""
        self._read.start_if_due()
        return self._read

    def shown(self, component: Component) -> Component:
        """Return the component with slowness and its override applied."""
        component = with_slowness(component, self._tasks[component.name], self._reader.known.usual_p95_ms)
        override = self._reader.known.for_component(component.name, self._clock())
        return override.apply_to(component) if override else component

    def changes_in(self) -> float:
        """Return for how many seconds `shown()` returns the same, unless a run ends first."""
        return self._reader.known.changes_in(self._clock())


def with_slowness(component: Component, task: ProbeTask, usual_p95_ms: Mapping[str, float]) -> Component:
    """Add a warning to a healthy component that is slow; without a usual time none is."""
    usual_ms, took_ms = usual_p95_ms.get(component.name), component.latency_ms
    if usual_ms is None or took_ms is None or task.slow_ms is None:
        return component
    if (
        component.status != "healthy"
        or component.paused
        or took_ms <= max(_SLOW_FACTOR * usual_ms, task.slow_ms)
    ):
        return component
    return replace(component, finding=Finding.slow(took_ms, usual_ms))
