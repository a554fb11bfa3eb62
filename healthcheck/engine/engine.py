"""Runs the probes: bounded in time, one flight a probe, results kept (docs/health.md tells the rules).

No request ever joins a probe's thread: it waits on a condition until everything has something to show, or
until the deadline. A thread that is stuck keeps its slot, so that there is at most one for each probe.
"""

import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.abilities import Ability, derived
from healthcheck.declared import (
    AbilityTask,
    Context,
    NamedTask,
    Panel,
    PanelTask,
    ProbeTask,
    configured_abilities,
    configured_panels,
    configured_probes,
    plain,
)
from healthcheck.engine.active_overrides import Read, read
from healthcheck.engine.bounded_thread import BoundedThread
from healthcheck.engine.override_layer import OverrideLayer
from healthcheck.engine.probe_run import ProbeRun, Words
from healthcheck.engine.shared_results import SharedResult
from healthcheck.engine.slot import Clock, Result, Slot, Work
from healthcheck.report import Finding
from healthcheck.snapshot import ChangeDetector, Component, Snapshot, log_transitions

T = TypeVar("T")

# A snapshot is put together anew after this, since the texts of stuck probes move on.
_KEPT_S = 1.0
# The deadline is later than the longest limit by this.
_MARGIN_S = 0.1
# The longest wait for the database on behalf of one request, e.g. to learn who is signed in.
_DATABASE_WAIT_S = 1.0

_PROBE_WORDS = Words(
    failed=gettext_noop("the probe failed; see the log"),
    no_database=gettext_noop("cannot be judged: the database does not answer"),
    no_table=gettext_noop("cannot be judged: a table is missing, run migrate"),
)
_PANEL_WORDS = Words(
    failed=gettext_noop("the panel failed; see the log"),
    no_database=gettext_noop("the database does not answer"),
    no_table=gettext_noop("a table is missing, run migrate"),
)


class Engine:
    """All slots of one process. Everything it starts is a daemon thread, begun by the first question.

    Args:
        clock: seconds, monotonic.
        read_overrides: reads what staff impose and what is usual.
    """

    def __init__(
        self,
        probes: Sequence[ProbeTask],
        panels: Sequence[PanelTask] = (),
        abilities: Sequence[AbilityTask] = (),
        *,
        version: str,
        clock: Clock = time.monotonic,
        read_overrides: Read = read,
    ) -> None:
        limits_s = [task.timeout_s + task.allowance_s for task in (*probes, *panels, *abilities)]
        self.deadline_s = max(limits_s, default=0) + _MARGIN_S
        self.bounded = BoundedThread(_DATABASE_WAIT_S)
        self._version, self._clock = version, clock
        self._changed = threading.Condition()
        self._slots: dict[str, Slot[Finding]] = {}
        for task in probes:
            self._slots[task.name] = self._probe_slot(task)
        self._overrides = OverrideLayer(read_overrides, probes, clock=clock, slot=self._slot)
        self._panels = [(task, self._panel_slot(task)) for task in panels]
        self._abilities = [(task, self._ability_slot(task)) for task in abilities]
        self._kept: tuple[Snapshot, float] | None = None
        self._detector = ChangeDetector()

    def snapshot(self) -> Snapshot:
        """Return the state of all components, at the latest after `deadline_s`."""
        kept = self._kept
        if kept and self._clock() < kept[1]:
            return kept[0]
        with self._changed:
            self._settle([*self._slots.values(), *(slot for _, slot in self._abilities if slot)])
            snapshot = self._assembled()
            changed = self._detector.changes(snapshot.components)
        log_transitions(changed)
        return snapshot

    def component(self, name: str) -> Component:
        """Return the state of one component, asking nothing but that one and what it needs."""
        with self._changed:
            slot = self._slots[name]
            self._settle([*slot.needs, slot])
            component = self._component(slot)
            changed = self._detector.changes([component])
        log_transitions(changed)
        return component

    def part(self, names: Collection[str]) -> Snapshot:
        """Return the state of these components, asking nothing but them and what they need."""
        with self._changed:
            slots = [slot for name, slot in self._slots.items() if name in names]
            self._settle([*(needed for slot in slots for needed in slot.needs), *slots])
            components = tuple(map(self._component, slots))
            changed = self._detector.changes(components)
        log_transitions(changed)
        return Snapshot(components, timezone.now(), self._version, whole=False)

    def page(self) -> tuple[Snapshot, Sequence[Panel]]:
        """Return the snapshot and all panels, together at the latest after `deadline_s`."""
        with self._changed:
            abilities = (slot for _, slot in self._abilities if slot)
            self._settle([*self._slots.values(), *abilities, *(slot for _, slot in self._panels)])
            panels = [Panel(task, _context(slot)) for task, slot in self._panels]
        return self.snapshot(), panels

    def _settle(self, slots: Collection[Slot[Any]]) -> None:
        """Start what is due, then wait until everything has something to show."""
        for slot in slots:
            slot.start_if_due()
        ends_s = self._clock() + self.deadline_s
        while waits_s := [
            wait_s for slot in (*slots, self._overrides.start_if_due()) if (wait_s := slot.settles_in()) > 0
        ]:
            left_s = ends_s - self._clock()
            if left_s <= 0:
                return
            self._changed.wait(min(left_s, *waits_s))

    def _assembled(self) -> Snapshot:
        if self._kept and self._clock() < self._kept[1]:  # another caller woke first
            return self._kept[0]
        slots = [*self._slots.values(), *(slot for _, slot in self._abilities if slot)]
        components = {name: self._component(slot) for name, slot in self._slots.items()}
        abilities = tuple(self._ability(task, slot, components) for task, slot in self._abilities)
        snapshot = Snapshot(tuple(components.values()), timezone.now(), self._version, abilities)
        changes_in_s = min(_KEPT_S, self._overrides.changes_in(), *(slot.changes_in() for slot in slots))
        self._kept = snapshot, self._clock() + changes_in_s
        return snapshot

    def _ability(
        self, task: AbilityTask, slot: Slot[Finding] | None, components: Mapping[str, Component]
    ) -> Ability:
        needed = [components[name] for name in task.needs if name in components]
        own = slot.shown().value if slot and not slot.held_back_by() else None
        return derived(task, needed, own)

    def _component(self, slot: Slot[Finding]) -> Component:
        found = self._found(slot)
        for needed in map(self._component, slot.needs):
            if "unhealthy" in (needed.raw.status, needed.status):
                found = found.blocked_by(needed)
                break
        return self._overrides.shown(found)

    def _found(self, slot: Slot[Finding]) -> Component:
        result = slot.shown()
        return Component(
            name=slot.name,
            finding=result.value,
            latency_ms=result.latency_ms,
            measured_at=result.measured_at,
            age_s=max(0.0, self._clock() - result.clock_s),
            late=slot.is_late(),
        )

    def _land(self, slot: Slot[Any], result: Result[Any] | None) -> None:
        with self._changed:
            slot.take(result)
            self._kept = None
            self._changed.notify_all()

    def _probe_slot(self, task: ProbeTask) -> Slot[Finding]:
        work: Work[Finding] = ProbeRun(
            task.probe, _PROBE_WORDS, limit_s=task.timeout_s, clock=self._clock, kept=_finding
        )
        if task.shared:
            work = SharedResult(task, work, clock=self._clock)
        return self._slot(task, work)

    def _ability_slot(self, task: AbilityTask) -> Slot[Finding] | None:
        if not task.probe:
            return None
        work: Work[Finding] = ProbeRun(
            task.probe, _PROBE_WORDS, limit_s=task.timeout_s, clock=self._clock, kept=_finding
        )
        return self._slot(task, work)

    def _panel_slot(self, task: PanelTask) -> Slot[Context]:
        work = ProbeRun(task.context, _PANEL_WORDS, limit_s=task.timeout_s, clock=self._clock, kept=plain)
        return self._slot(task, work)

    def _slot(self, task: NamedTask, work: Work[T]) -> Slot[T]:
        # A name that is not there is a system check's business: it must not end all health answers.
        needs = [self._slots[needed] for needed in task.needs if needed in self._slots]
        return Slot(task, work, clock=self._clock, land=self._land, needs=needs)


def _finding(returned: Any) -> Finding:
    if not isinstance(returned, Finding):
        raise TypeError(f"a probe returns a Finding, not {type(returned).__name__}")
    return returned


def _context(slot: Slot[Context]) -> Context | Finding:
    if needed := slot.held_back_by():
        return Finding("unhealthy", gettext_noop("%(component)s is down"), component=needed.name)
    return slot.shown().value


_engine: Engine | None = None
_making = threading.Lock()


def engine() -> Engine:
    """Return this process's engine, made of the settings at the first call."""
    global _engine  # noqa: PLW0603 - one a process is the point
    with _making:
        if _engine is None:
            _engine = Engine(
                configured_probes(),
                configured_panels(),
                configured_abilities(),
                version=settings.VERSION,
            )
        return _engine


def forget_engine() -> None:
    """Begin anew at the next call: a forked child has none of its parent's threads."""
    global _engine, _making
    _engine, _making = None, threading.Lock()


os.register_at_fork(after_in_child=forget_engine)
