"""One probe or panel in the engine: its last result, and at most one run under way.

See docs/health.md, rules 1 to 6 and 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from threading import Thread
from typing import Any, Generic, TypeVar

import structlog
from django.db import connections
from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.declared import NamedTask
from healthcheck.report import Finding

logger = structlog.get_logger(__name__)

T = TypeVar("T")
Clock = Callable[[], float]

# A result up to this many TTLs old is served, with its age, while a refresh runs.
LATE_TTLS = 3
# For this long after its limit a run counts as "no answer", then as "still running".
_NO_ANSWER_FOR_S = 1.0


@dataclass(frozen=True)
class Result(Generic[T]):
    """The result of one run: a value, or the `Finding` that says why there is none.

    Attributes:
        latency_ms: None when the run was too slow to count.
        measured_at: aware UTC, for people.
        clock_s: the same moment on the engine's clock.
    """

    value: T | Finding
    latency_ms: float | None
    measured_at: datetime
    clock_s: float

    @property
    def good(self) -> bool:
        return not isinstance(self.value, Finding) or self.value.status == "healthy"


@dataclass
class Flight:
    """One run in its thread, overdue from `limit_s` on the engine's clock.

    The run itself may move `limit_s` forward.
    """

    started_s: float
    limit_s: float


Work = Callable[[Flight], Result[T]]


class Slot(Generic[T]):
    """One task with its last result. Call every method while holding the engine's lock.

    Args:
        work: what a run does, in its own thread and without the lock.
        needs: while one of these is down no run starts.
        land: called by the run's thread at its end, without the lock; it takes the lock and calls `take`.
    """

    def __init__(
        self,
        task: NamedTask,
        work: Work[T],
        *,
        clock: Clock,
        land: Callable[["Slot[Any]", Result[Any] | None], None],
        needs: Sequence["Slot[Any]"] = (),
    ) -> None:
        self.name = task.name
        self.needs = needs
        self._task = task
        self._work, self._clock, self._land = work, clock, land
        self._flight: Flight | None = None
        self._result: Result[T] | None = None

    def start_if_due(self) -> None:
        """Start a run unless one is under way, the last result is fresh, or a component it needs is down."""
        if self._flight or self.is_fresh() or self.unhealthy_dependency():
            return
        now = self._clock()
        self._flight = Flight(now, now + self._task.timeout_s + self._task.allowance_s)
        try:
            Thread(target=self._fly, args=(self._flight,), name=f"health-{self.name}", daemon=True).start()
        except RuntimeError:  # the process has no thread left
            logger.exception("health.no_thread", what=self.name)
            self._flight = None

    def take(self, result: Result[T] | None) -> None:
        self._result, self._flight = result, None

    def is_fresh(self) -> bool:
        return self._age_ttls() < 1

    def is_late(self) -> bool:
        """Return whether `shown()` is a result older than its TTL, which is served while a refresh runs."""
        return self._result is not None and self._known() is self._result and not self.is_fresh()

    def unhealthy_dependency(self) -> "Slot[Any] | None":
        return next((needed for needed in self.needs if needed.is_down()), None)

    def is_down(self) -> bool:
        known = self._known()
        return known is not None and isinstance(known.value, Finding) and known.value.status == "unhealthy"

    def settles_in(self) -> float:
        """Return the seconds after which there is a result to show in any case; 0 when there is one now."""
        if self._flight is None or self._known() or self.unhealthy_dependency():
            return 0
        return self._flight.limit_s - self._clock()

    def shown(self) -> Result[T]:
        """Return the current result. An overdue run hides the result before it."""
        return self._known() or self._no_result(no_answer(self._task.timeout_s))

    def changes_in(self) -> float:
        """Return for how many seconds `shown()` returns the same, unless a run ends first."""
        now = self._clock()
        moments = [self._flight.limit_s] if self._flight else []
        if self._result:
            moments += [self._result.clock_s + ttls * self._ttl_s(self._result) for ttls in (1, LATE_TTLS)]
        return min((moment - now for moment in moments if moment > now), default=inf)

    def _known(self) -> Result[T] | None:
        now = self._clock()
        if self._flight and now >= self._flight.limit_s:
            return self._no_result(_overdue(now, self._flight, self._task.timeout_s))
        return self._result if self._age_ttls() < LATE_TTLS else None

    def _no_result(self, finding: Finding) -> Result[T]:
        return Result(finding, None, timezone.now(), self._clock())

    def _ttl_s(self, result: Result[T]) -> float:
        return self._task.ttl_s if result.good else self._task.ttl_bad_s

    def _age_ttls(self) -> float:
        if self._result is None:
            return LATE_TTLS
        return (self._clock() - self._result.clock_s) / self._ttl_s(self._result)

    def _fly(self, flight: Flight) -> None:
        result = None
        try:
            result = self._work(flight)
        finally:
            # Before the slot is freed: closing may hang, and then no second thread may start.
            connections.close_all()
            self._land(self, result)


def no_answer(limit_s: float) -> Finding:
    return Finding("unhealthy", gettext_noop("no answer within %(limit_s)g s"), limit_s=limit_s)


def _overdue(now: float, flight: Flight, limit_s: float) -> Finding:
    if now < flight.limit_s + _NO_ANSWER_FOR_S:
        return no_answer(limit_s)
    text = gettext_noop("still running after %(running_s).1f s (limit %(limit_s)g s)")
    return Finding("unhealthy", text, running_s=now - flight.started_s, limit_s=limit_s)
