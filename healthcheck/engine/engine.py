"""Runs all probes and panels of one process: in threads, within time limits, and with cached results.

A request never joins a probe's thread. It waits on a condition until every slot has a result or the deadline
has passed. A thread that hangs keeps its slot, so there is at most one for each probe. See docs/health.md,
rules 1 to 8 and 12.
"""

import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.abilities import Ability, derive_ability
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
    evaluated,
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

# A snapshot is rebuilt after this, since the texts of hanging probes contain a running time.
_SNAPSHOT_TTL_S = 1.0
# The deadline is the longest limit plus this.
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
    """The slots of all probes, panels and abilities. The first question starts its daemon threads.

    Args:
        clock: seconds, monotonic.
        read_overrides: reads overrides and usual latencies.
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
        """Return the state of all components, within `deadline_s`."""
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
        """Return the state of one component, running only its probe and those of the components it needs."""
        with self._changed:
            slot = self._slots[name]
            self._settle([*slot.needs, slot])
            component = self._component(slot)
            changed = self._detector.changes([component])
        log_transitions(changed)
        return component

    def part(self, names: Collection[str]) -> Snapshot:
        """Return the state of these components, running only their probes and those of what they need."""
        with self._changed:
            slots = [slot for name, slot in self._slots.items() if name in names]
            self._settle([*(needed for slot in slots for needed in slot.needs), *slots])
            components = tuple(map(self._component, slots))
            changed = self._detector.changes(components)
        log_transitions(changed)
        return Snapshot(components, timezone.now(), self._version, whole=False)

    def page(self) -> tuple[Snapshot, Sequence[Panel]]:
        """Return the snapshot and all panels, together within `deadline_s`."""
        with self._changed:
            abilities = (slot for _, slot in self._abilities if slot)
            self._settle([*self._slots.values(), *abilities, *(slot for _, slot in self._panels)])
            panels = [Panel(task, _context(slot)) for task, slot in self._panels]
        return self.snapshot(), panels

    def _settle(self, slots: Collection[Slot[Any]]) -> None:
        """Start what is due, then wait until every slot has a result to show or the deadline has passed."""
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
        if self._kept and self._clock() < self._kept[1]:  # another caller built it meanwhile
            return self._kept[0]
        slots = [*self._slots.values(), *(slot for _, slot in self._abilities if slot)]
        components = {name: self._component(slot) for name, slot in self._slots.items()}
        abilities = tuple(self._ability(task, slot, components) for task, slot in self._abilities)
        snapshot = Snapshot(tuple(components.values()), timezone.now(), self._version, abilities)
        changes_in_s = min(
            _SNAPSHOT_TTL_S, self._overrides.changes_in(), *(slot.changes_in() for slot in slots)
        )
        self._kept = snapshot, self._clock() + changes_in_s
        return snapshot

    def _ability(
        self, task: AbilityTask, slot: Slot[Finding] | None, components: Mapping[str, Component]
    ) -> Ability:
        needed = [components[name] for name in task.needs if name in components]
        own = slot.shown().value if slot and not slot.unhealthy_dependency() else None
        return derive_ability(task, needed, own)

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
            task.probe, _PROBE_WORDS, limit_s=task.timeout_s, clock=self._clock, convert=_finding
        )
        if task.shared:
            work = SharedResult(task, work, clock=self._clock)
        return self._slot(task, work)

    def _ability_slot(self, task: AbilityTask) -> Slot[Finding] | None:
        if not task.probe:
            return None
        work: Work[Finding] = ProbeRun(
            task.probe, _PROBE_WORDS, limit_s=task.timeout_s, clock=self._clock, convert=_finding
        )
        return self._slot(task, work)

    def _panel_slot(self, task: PanelTask) -> Slot[Context]:
        work = ProbeRun(
            task.context, _PANEL_WORDS, limit_s=task.timeout_s, clock=self._clock, convert=evaluated
        )
        return self._slot(task, work)

    def _slot(self, task: NamedTask, work: Work[T]) -> Slot[T]:
        # An unknown name is reported by a system check; here it must not break all health answers.
        needs = [self._slots[needed] for needed in task.needs if needed in self._slots]
        return Slot(task, work, clock=self._clock, land=self._land, needs=needs)


def _finding(returned: Any) -> Finding:
    if not isinstance(returned, Finding):
        raise TypeError(f"a probe returns a Finding, not {type(returned).__name__}")
    return returned


def _context(slot: Slot[Context]) -> Context | Finding:
    if needed := slot.unhealthy_dependency():
        return Finding("unhealthy", gettext_noop("%(component)s is down"), component=needed.name)
    return slot.shown().value


_engine: Engine | None = None
_making = threading.Lock()


def engine() -> Engine:
    """Return this process's engine; the first call makes it from the settings."""
    global _engine  # noqa: PLW0603 - one engine per process
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
    """Make a new engine at the next call: a forked child does not have its parent's threads."""
    global _engine, _making
    _engine, _making = None, threading.Lock()


os.register_at_fork(after_in_child=forget_engine)
