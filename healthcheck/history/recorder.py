"""Writes the health history: one sample a minute, and every damped change of state.

It runs in the scheduler that leads. See docs/health.md, rules 15 to 17.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import DataError, IntegrityError, connections
from django.db import Error as DatabaseError
from django.utils import timezone

from healthcheck.alerts.sender import AlertSender
from healthcheck.engine.engine import engine
from healthcheck.history import store
from healthcheck.history.damping import Damper
from healthcheck.models import HealthState, HealthTransition
from healthcheck.report import Status, component_names
from healthcheck.snapshot import Component, Snapshot

logger = structlog.get_logger(__name__)

TICK_EVERY_S = 15.0
TICK_SOON_S = 5.0
"""While a component flaps between two states."""
KEPT_MINUTES = 120
"""How much is kept in memory while the database is down."""
USUAL_EVERY = timedelta(hours=1)
MEASUREMENTS_AFTER_OUTAGE = 2
"""Measurements of the database before a process that lost its lead believes that the outage is over."""


@dataclass
class Observation:
    """What one tick found and has to write."""

    at: datetime
    samples: tuple[Component, ...] = ()
    transitions: list[HealthTransition] = field(default_factory=list)
    states: list[HealthState] = field(default_factory=list)
    alerts: list[HealthTransition] = field(default_factory=list)


class Recorder:
    """One thread that measures all components and records them. Its errors never reach the scheduler.

    Args:
        leads: whether this process is the one that records. While the database is down no process leads; then
            the process that led last keeps observations in memory and writes them afterwards.
        sender: delivers alerts; None: there are none.
    """

    def __init__(
        self,
        leads: Callable[[], bool],
        sender: AlertSender | None = None,
        *,
        tick_every_s: float = TICK_EVERY_S,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._leads, self._sender, self._clock = leads, sender, clock
        self._every_s, self._soon_s = tick_every_s, min(TICK_SOON_S, tick_every_s)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._dampers: dict[str, Damper] | None = None
        self._states: dict[str, HealthState] = {}
        self._sampled: datetime | None = None
        self._rehearsed: dict[str, Status] = {}
        self._usual_at: datetime | None = None
        self._measured_in_outage: set[datetime | None] = set()
        self._unwritten: deque[Observation] = deque(maxlen=KEPT_MINUTES)

    def start(self) -> None:
        """Start the thread; the first tick comes after one interval."""
        self._thread = threading.Thread(target=self._run, name="health-recorder", daemon=True)
        self._thread.start()
        if self._sender:
            self._sender.start()

    def stop(self) -> None:
        """Stop. A tick that hangs is abandoned with its daemon thread."""
        self._stopped.set()
        if self._sender:
            self._sender.stop()
        if self._thread:
            self._thread.join(1)

    def _run(self) -> None:
        wait_s = self._soon_s
        while not self._stopped.wait(wait_s):
            try:
                wait_s = self.tick()
            except Exception:
                # A gap in the history is acceptable; a scheduler that ends because of it is not.
                logger.exception("health.not_recorded")
                wait_s = self._every_s
            finally:
                connections.close_all()

    def tick(self) -> float:
        """Measure and record all components once; return the seconds until the next tick."""
        leads = self._leads()
        if not leads and not self._covers_outage():
            self._write()
            self._dampers = None
            self._notify(leading=False)
            return self._every_s
        if self._dampers is None and not self._begin():
            return self._soon_s
        snapshot = engine().part(component_names())
        found = self._update(snapshot)
        if leads:
            self._measured_in_outage.clear()
            self._write()
            self._learn_usual()
        elif "database" in self._known:  # the outage is written together with its end
            self._measured_in_outage.add(self._known["database"].seen_at)
            logger.warning("health.kept", minutes=len(self._unwritten))
        self._notify(found, leading=leads, healthy=snapshot.status != "unhealthy")
        return self._soon_s if any(damper.is_flapping for damper in self._known.values()) else self._every_s

    def _notify(self, found: Observation | None = None, *, leading: bool, healthy: bool = False) -> None:
        if self._sender is None:
            return
        changed = found.alerts if found else []
        if not leading:
            self._sender.enqueue(changed)
        self._sender.notify(leading=leading, healthy=healthy, written=bool(changed))

    @property
    def _known(self) -> dict[str, Damper]:
        return {} if self._dampers is None else self._dampers

    def _covers_outage(self) -> bool:
        """Return whether a process that no longer leads must go on observing an outage of the database.

        One healthy result is not enough: it may have been measured before the outage.
        """
        damper = self._known.get("database")
        if damper is None:
            return False
        return (
            len(self._measured_in_outage) < MEASUREMENTS_AFTER_OUTAGE
            or damper.status == "unhealthy"
            or damper.is_flapping
        )

    def _begin(self) -> bool:
        """Load the states written last, so that a restart neither misses nor repeats a change."""
        try:
            self._states = HealthState.objects.in_bulk()
            self._rehearsed = store.before_rehearsal()
        except DatabaseError:
            return False
        self._dampers = {name: Damper(store.status(state)) for name, state in self._states.items()}
        return True

    def _update(self, snapshot: Snapshot) -> Observation:
        at = self._clock()
        found = Observation(at.replace(second=0, microsecond=0))
        for component in snapshot.components:
            changes = self._back_from_rehearsal(component, at, snapshot.version)
            damper = self._known.setdefault(component.name, Damper())
            before = damper.status or "healthy"
            if damper.feed(component):
                changes.append(store.transition(component, before, at, snapshot.version))
                if component.override == "rehearsal":
                    self._rehearsed.setdefault(component.name, before)
            found.transitions += changes
            if self._sender and self._sender.has_webhook and not component.paused:
                found.alerts += changes
            if damper.status is not None:
                state = store.state(self._states.get(component.name), component, damper.status, at)
                self._states[component.name] = state
                found.states.append(state)
        if found.at != self._sampled:
            self._sampled, found.samples = found.at, snapshot.components
        if found.samples or found.transitions:
            self._unwritten.append(found)
        return found

    def _back_from_rehearsal(
        self, component: Component, at: datetime, version: str
    ) -> list[HealthTransition]:
        """Restore the state from before a rehearsal at its end.

        Otherwise a real failure right after a rehearsed one would be no change, and send no alert.
        """
        if component.override == "rehearsal" or component.name not in self._rehearsed:
            return []
        after = self._rehearsed.pop(component.name)
        before = self._known[component.name].status if component.name in self._known else after
        self._known[component.name] = Damper(after)
        if before is None or before == after:
            return []
        return [store.rehearsal_over(component.name, before, after, at, version)]

    def _learn_usual(self) -> None:
        """Update the usual latencies, once an hour, since it reads all samples of a day."""
        now = self._clock()
        if self._unwritten or (self._usual_at and now - self._usual_at < USUAL_EVERY):
            return
        self._usual_at = now
        try:
            store.rewrite_usual()
        except DatabaseError as error:
            logger.warning("health.usual_kept", error=type(error).__name__)

    def _write(self) -> None:
        """Write what was kept, oldest first; keep what the database does not accept now."""
        while self._unwritten:
            observation = self._unwritten[0]
            try:
                self._write_one(observation)
            except DatabaseError as error:
                logger.warning("health.kept", minutes=len(self._unwritten), error=type(error).__name__)
                return
            self._unwritten.popleft()

    def _write_one(self, observation: Observation) -> None:
        """Write one observation, without its texts if the database rejects them: others wait behind it."""
        try:
            was_sent = self._sender.was_sent if self._sender else None
            store.write(
                observation.at,
                observation.samples,
                observation.transitions,
                observation.states,
                observation.alerts,
                was_sent=was_sent,
            )
        except (DataError, IntegrityError):
            logger.exception("health.change_dropped", changes=list(map(str, observation.transitions)))
            store.write(observation.at, observation.samples, (), ())
