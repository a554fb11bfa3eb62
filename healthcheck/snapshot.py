"""The state of all components at one moment. It is frozen, so all answers made from it agree.

See docs/health.md, rules 10, 18 and 25.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from hashlib import blake2b
from typing import Literal

import structlog
from django.utils.translation import gettext_noop

from healthcheck.abilities import Ability, Answer, decisive
from healthcheck.report import (
    ComponentHealth,
    DetailedHealthResponse,
    Finding,
    Overall,
    SelectedHealthResponse,
    Status,
    overall,
)

logger = structlog.get_logger(__name__)

OverrideEffect = Literal["", "maintenance", "rehearsal"]

_SAME_AS_FINDING = Finding("healthy", "")
_UNJUDGED = gettext_noop("cannot be judged: %(component)s is down")
_UNJUDGED_IN_REHEARSAL = gettext_noop("REHEARSAL: cannot be judged: %(component)s is down")
_PAUSED = gettext_noop("paused: %(component)s is in maintenance")


@dataclass(frozen=True)
class Component:
    """One component's state.

    Attributes:
        latency_ms: None on a time-out, or when it cannot be judged.
        measured_at: aware UTC.
        age_s: seconds between `measured_at` and the snapshot.
        late: older than its TTL; a refresh is running.
        raw: the finding before slowness and overrides were applied; `finding` by default.
        override: in force for this component or for one that it needs.
    """

    name: str
    finding: Finding
    latency_ms: float | None
    measured_at: datetime
    age_s: float
    late: bool
    raw: Finding = _SAME_AS_FINDING
    override: OverrideEffect = ""

    def __post_init__(self) -> None:
        if self.raw is _SAME_AS_FINDING:
            object.__setattr__(self, "raw", self.finding)

    @property
    def status(self) -> Status:
        return self.finding.status

    @property
    def judged(self) -> bool:
        return self.finding.judged

    @property
    def paused(self) -> bool:
        return self.finding.paused

    @property
    def slow(self) -> bool:
        """Whether it is healthy apart from its latency."""
        return self.finding.ready and self.raw.status == "healthy"

    def blocked_by(self, needed: "Component") -> "Component":
        """Return this component as unjudged (paused, in a maintenance) because `needed` is down."""
        blocked = partial(
            Component,
            self.name,
            latency_ms=None,
            measured_at=needed.measured_at,
            age_s=needed.age_s,
            late=needed.late,
        )
        unjudged = Finding.unjudged(_UNJUDGED, component=needed.name)
        if needed.raw.status != "unhealthy":  # down in a rehearsal only, so the own result is still valid
            rehearsed = Finding.unjudged(_UNJUDGED_IN_REHEARSAL, component=needed.name)
            return blocked(rehearsed, raw=self.raw, override="rehearsal")
        if needed.override == "maintenance":
            return blocked(
                Finding.pause(_PAUSED, component=needed.name), raw=unjudged, override="maintenance"
            )
        return blocked(unjudged)


@dataclass(frozen=True)
class Snapshot:
    """All components, in the configured order. `measured_at` is when they were collected, aware UTC."""

    components: tuple[Component, ...]
    measured_at: datetime
    version: str
    abilities: tuple[Ability, ...] = ()
    whole: bool = True

    @property
    def can_act(self) -> Answer:
        """The answer to `HEALTH_QUESTION`: yes if every ability is a yes, else the most serious answer."""
        return decisive(self.abilities).answer if self.abilities else "unknown"

    @property
    def can_act_because(self) -> Ability | None:
        """The ability that decides a no; None for a yes, or without abilities."""
        return None if self.can_act == "yes" or not self.abilities else decisive(self.abilities)

    @cached_property
    def status(self) -> Overall:
        return overall(component.status for component in self.components)

    @property
    def http_status(self) -> int:
        """503 tells a monitor or load balancer that something is down; a degraded site still works."""
        return 503 if self.status == "unhealthy" else 200

    @cached_property
    def full_json(self) -> bytes:
        return self._json(hidden=False)

    @cached_property
    def redacted_json(self) -> bytes:
        """The answer for anonymous callers: names and states only."""
        return self._json(hidden=True)

    @cached_property
    def full_etag(self) -> str:
        """Changes with anything but the timestamp."""
        return self._etag(hidden=False)

    @cached_property
    def redacted_etag(self) -> str:
        return self._etag(hidden=True)

    @cached_property
    def status_json(self) -> bytes:
        return b'{"status":"%s"}' % self.status.encode()

    def is_unhealthy(self, name: str) -> bool:
        """Return whether the component exists and is really unhealthy, whatever override is in force."""
        return any(one.name == name and one.raw.status == "unhealthy" for one in self.components)

    def _etag(self, *, hidden: bool) -> str:
        content = "\n".join([self.version, *map(str, self._components(hidden=hidden))])
        return f'W/"{blake2b(content.encode(), digest_size=12).hexdigest()}"'

    def _components(self, *, hidden: bool) -> list[ComponentHealth]:
        return [
            ComponentHealth(
                name=component.name,
                status=component.status,
                latency_ms=None if hidden else component.latency_ms,
                message=None if hidden else component.finding.english,
            )
            for component in self.components
        ]

    def _json(self, *, hidden: bool) -> bytes:
        response = (DetailedHealthResponse if self.whole else SelectedHealthResponse)(
            status=self.status,
            timestamp=self.measured_at,
            version=self.version,
            components=self._components(hidden=hidden),
        )
        return response.model_dump_json().encode()


class ChangeDetector:
    """Remembers each component's last status, so that each change is logged once."""

    def __init__(self) -> None:
        self._known: dict[str, Status] = {}
        self._slow: set[str] = set()

    def changes(self, components: Iterable[Component]) -> Sequence[tuple[Component, Status]]:
        """Return each component that changed status or became slow, with its previous status.

        Call it under the engine's lock.
        """
        changed = []
        for component in components:
            before = self._known.get(component.name, "healthy")
            self._known[component.name] = component.status
            was_slow = component.name in self._slow
            if component.slow:
                self._slow.add(component.name)
            else:
                self._slow.discard(component.name)
            if component.status != before or (component.slow and not was_slow):
                changed.append((component, before))
        return changed


def log_transitions(changed: Iterable[tuple[Component, Status]]) -> None:
    """Log changes. Call it without a lock: writing a log can block, and that must not stop the engine."""
    for component, before in changed:
        if component.slow:
            logger.warning("health.slow", component=component.name, **component.finding.params)
        if component.status == before:
            continue
        log = logger.info if component.status == "healthy" else logger.warning
        facts = {"override": component.override} if component.override else {}
        log(
            "health.changed",
            component=component.name,
            before=before,
            after=component.status,
            message=component.finding.english,
            **facts,
        )
