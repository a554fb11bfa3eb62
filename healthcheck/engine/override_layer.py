"""What the engine lays over a component: slowness, and what staff impose (docs/health.md, 18 and 19)."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from django.utils import timezone

from healthcheck.declared import NamedTask, OwnTask, ProbeTask
from healthcheck.engine.active_overrides import Override, OverrideReader, Read, nothing
from healthcheck.engine.slot import Clock, Flight, Result, Slot, Work, no_answer
from healthcheck.report import Finding
from healthcheck.snapshot import Component

# Nobody waits longer than `timeout_s` to learn what is imposed: until then nothing is.
_READ_TASK = OwnTask(name="overrides", timeout_s=0.5, ttl_s=2, ttl_bad_s=2)
_TIMES = 3
"""An answer is slow above so many times the usual 95th percentile."""


class OverrideLayer:
    """Call every method while holding the engine's lock.

    A rehearsed hang has a slot of its own beside the component's: its flight hangs until the override's end,
    and the component is measured on, so that the truth is known and nothing false reaches other processes.
    """

    def __init__(
        self,
        read: Read | None,
        tasks: Iterable[ProbeTask],
        *,
        clock: Clock,
        changed: threading.Condition,
        slot: Callable[[NamedTask, Work[Any]], Slot[Any]],
    ) -> None:
        self._reader = OverrideReader(read or nothing, clock=clock)
        self._tasks: Mapping[str, ProbeTask] = {task.name: task for task in tasks}
        self._clock, self._changed, self._slot = clock, changed, slot
        self._read = slot(_READ_TASK, self._reader) if read else None
        self._hanging: dict[str, Slot[Finding]] = {}

    def settling(self, names: Iterable[str]) -> list[Slot[Any]]:
        """Start what is due; return the slots to wait for beside those of the components."""
        if self._read is None:
            return []
        self._read.start_if_due()
        return [self._read, *filter(None, map(self._hung, names))]

    def shown(self, component: Component) -> Component:
        """Return the component as slowness and staff make it."""
        component = with_slowness(component, self._tasks[component.name], self._reader.known.usual_p95_ms)
        if override := self._on(component.name):
            hung = self._hung(component.name)
            return override.apply_to(component, hung.shown().value if hung else None)
        return component

    def changes_in(self) -> float:
        """Return for how many seconds `shown()` stays as it is unless a flight lands."""
        hanging = (slot.changes_in() for slot in self._hanging.values())
        return min(self._reader.known.changes_in(self._clock()), *hanging, inf)

    def _on(self, name: str) -> Override | None:
        return self._reader.known.for_component(name, self._clock())

    def _hung(self, name: str) -> Slot[Finding] | None:
        if self._hangs_for(name) <= 0:
            self._hanging.pop(name, None)
            return None
        if name not in self._hanging:
            self._hanging[name] = self._slot(replace(self._tasks[name], needs=()), partial(self._hang, name))
        self._hanging[name].start_if_due()
        return self._hanging[name]

    def _hangs_for(self, name: str) -> float:
        override = self._on(name)
        return override.ends_s - self._clock() if override and override.kind == "hang" else 0

    def _hang(self, name: str, flight: Flight) -> Result[Finding]:
        with self._changed:
            while (left_s := self._hangs_for(name)) > 0:
                self._changed.wait(left_s)
        return Result(no_answer(self._tasks[name].timeout_s), None, timezone.now(), self._clock())


def with_slowness(component: Component, task: ProbeTask, usual_p95_ms: Mapping[str, float]) -> Component:
    """Return the component with a warning if it is healthy but slow; without a usual time nothing is."""
    usual_ms, took_ms = usual_p95_ms.get(component.name), component.latency_ms
    if usual_ms is None or took_ms is None or task.slow_ms is None:
        return component
    if component.status != "healthy" or component.paused or took_ms <= max(_TIMES * usual_ms, task.slow_ms):
        return component
    return replace(component, finding=Finding.slow(took_ms, usual_ms))
