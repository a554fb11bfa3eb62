"""Writes the history: a sample a minute, and every damped transition (docs/health.md, 15 to 17)."""

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
from healthcheck.history import store as records
from healthcheck.history.damping import Damper
from healthcheck.models import HealthState, HealthTransition
from healthcheck.report import Status, component_names
from healthcheck.snapshot import Component, Snapshot

logger = structlog.get_logger(__name__)

LOOK_EVERY_S = 15.0
LOOK_SOON_S = 5.0
"""While a component wavers between two states."""
KEPT_MINUTES = 120
"""What is remembered while the database is away."""
USUAL_EVERY = timedelta(hours=1)
ENOUGH_ALONE = 2
"""Measurements of the database after which one who leads no more believes that it is well."""


@dataclass
class Minute:
    """What is to be written of one look."""

    at: datetime
    samples: tuple[Component, ...] = ()
    transitions: list[HealthTransition] = field(default_factory=list)
    states: list[HealthState] = field(default_factory=list)
    alerts: list[HealthTransition] = field(default_factory=list)


class Recorder:
    """One thread beside whoever may speak for the site. Nothing it does reaches its owner, whatever fails.

    Args:
        speaks: whether this process is the one that records. While the database is away nobody is told to:
            then the one that spoke last goes on, and writes afterwards what it kept.
        sender: who tells people of changes; None: nobody does.
    """

    def __init__(
        self,
        speaks: Callable[[], bool],
        sender: AlertSender | None = None,
        *,
        look_every_s: float = LOOK_EVERY_S,
        look_soon_s: float = LOOK_SOON_S,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._speaks, self._sender, self._clock = speaks, sender, clock
        self._every_s, self._soon_s = look_every_s, min(look_soon_s, look_every_s)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._dampers: dict[str, Damper] | None = None
        self._states: dict[str, HealthState] = {}
        self._sampled: datetime | None = None
        self._rehearsed: dict[str, Status] = {}
        self._usual_at: datetime | None = None
        self._alone: set[datetime | None] = set()
        self._unwritten: deque[Minute] = deque(maxlen=KEPT_MINUTES)

    def start(self) -> None:
        """Begin to look, from the first interval's end on."""
        self._thread = threading.Thread(target=self._run, name="health-recorder", daemon=True)
        self._thread.start()
        if self._sender:
            self._sender.start()

    def stop(self) -> None:
        """Look no more. A look that is stuck is left behind."""
        self._over.set()
        if self._sender:
            self._sender.stop()
        if self._thread:
            self._thread.join(1)

    def _run(self) -> None:
        wait_s = self._soon_s
        while not self._over.wait(wait_s):
            try:
                wait_s = self.look()
            except Exception:
                # A history with a gap is better than a scheduler without one.
                logger.exception("health.not_recorded")
                wait_s = self._every_s
            finally:
                connections.close_all()

    def look(self) -> float:
        """Look once; return how many seconds may pass until the next look."""
        speaks = self._speaks()
        if not speaks and not self._stands_in():
            self._write()
            self._dampers = None
            self._tell(speaking=False)
            return self._every_s
        if self._dampers is None and not self._begin():
            return self._soon_s
        snapshot = engine().part(component_names())
        found = self._take_in(snapshot)
        if speaks:
            self._alone.clear()
            self._write()
            self._learn_usual()
        elif "database" in self._known:  # the outage is told at once, with its end: nobody begins between
            self._alone.add(self._known["database"].seen_at)
            logger.warning("health.kept", minutes=len(self._unwritten))
        self._tell(found, speaking=speaks, well=snapshot.status != "unhealthy")
        return self._soon_s if any(damper.wavers for damper in self._known.values()) else self._every_s

    def _tell(self, found: Minute | None = None, *, speaking: bool, well: bool = False) -> None:
        if self._sender is None:
            return
        changed = found.alerts if found else []
        if not speaking:
            self._sender.tell_now(changed)
        self._sender.wake(speaking=speaking, well=well, written=bool(changed))

    @property
    def _known(self) -> dict[str, Damper]:
        return {} if self._dampers is None else self._dampers

    def _stands_in(self) -> bool:
        """Go on until the database was found well: the first answer kept may be older than its end."""
        damper = self._known.get("database")
        if damper is None:
            return False
        return len(self._alone) < ENOUGH_ALONE or damper.status == "unhealthy" or damper.wavers

    def _begin(self) -> bool:
        """Go on from the states that were written last: a restart forgets no change and repeats none."""
        try:
            self._states = HealthState.objects.in_bulk()
            self._rehearsed = records.before_rehearsal()
        except DatabaseError:
            return False
        self._dampers = {name: Damper(records.status(state)) for name, state in self._states.items()}
        return True

    def _take_in(self, snapshot: Snapshot) -> Minute:
        at = self._clock()
        found = Minute(at.replace(second=0, microsecond=0))
        for component in snapshot.components:
            changes = self._back_from_rehearsal(component, at, snapshot.version)
            damper = self._known.setdefault(component.name, Damper())
            before = damper.status or "healthy"
            if damper.feed(component):
                changes.append(records.transition(component, before, at, snapshot.version))
                if component.override == "rehearsal":
                    self._rehearsed.setdefault(component.name, before)
            found.transitions += changes
            if self._sender and self._sender.has_webhook and not component.paused:
                found.alerts += changes
            if damper.status is not None:
                state = records.state(self._states.get(component.name), component, damper.status, at)
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
        """At a rehearsal's end the state before it holds again, so that a real failure is news of its own."""
        if component.override == "rehearsal" or component.name not in self._rehearsed:
            return []
        after = self._rehearsed.pop(component.name)
        before = self._known[component.name].status if component.name in self._known else after
        self._known[component.name] = Damper(after)
        if before is None or before == after:
            return []
        return [records.rehearsal_over(component.name, before, after, at, version)]

    def _learn_usual(self) -> None:
        """Once an hour, since it reads a day's samples."""
        now = self._clock()
        if self._unwritten or (self._usual_at and now - self._usual_at < USUAL_EVERY):
            return
        self._usual_at = now
        try:
            records.rewrite_usual()
        except DatabaseError as error:
            logger.warning("health.usual_kept", error=type(error).__name__)

    def _write(self) -> None:
        """Write what is not written yet, the oldest first; what the database does not take is kept."""
        while self._unwritten:
            minute = self._unwritten[0]
            try:
                self._write_one(minute)
            except DatabaseError as error:
                logger.warning("health.kept", minutes=len(self._unwritten), error=type(error).__name__)
                return
            self._unwritten.popleft()

    def _write_one(self, minute: Minute) -> None:
        """Without its texts if the database can't take them: one finding must not hold up all others."""
        try:
            told = self._sender.was_told if self._sender else None
            records.write(
                minute.at, minute.samples, minute.transitions, minute.states, minute.alerts, told=told
            )
        except (DataError, IntegrityError):
            logger.exception("health.change_dropped", changes=list(map(str, minute.transitions)))
            records.write(minute.at, minute.samples, (), ())
