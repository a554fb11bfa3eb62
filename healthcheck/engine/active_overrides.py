"""Reads the overrides in force (maintenance, rehearsals) and how slow each component usually is.

See docs/health.md, rules 18 and 19.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.engine.slot import Clock, Flight, Result
from healthcheck.report import Finding, Status
from healthcheck.snapshot import Component
from healthcheck.templatetags.moments import moment_text

logger = structlog.get_logger(__name__)

_MAINTENANCE = gettext_noop("maintenance until %(until)s UTC (%(by)s): %(reason)s; without it: %(found)s")
_REHEARSAL = gettext_noop("REHEARSAL until %(until)s UTC (%(by)s): %(reason)s; without it: %(found)s")
_REHEARSED: Mapping[str, Status] = {"warn": "warning", "fail": "unhealthy"}


@dataclass(frozen=True)
class Override:
    """One row of `health_override` that is in force or will be.

    Attributes:
        component: "" for all components.
        starts_s, ends_s: on the engine's clock, converted from the database's, so that the override also ends
            on time while the database is down.
    """

    component: str
    kind: str
    reason: str
    by: str
    until: datetime
    starts_s: float
    ends_s: float

    def apply_to(self, component: Component) -> Component:
        """Return the component as it is shown: paused in a maintenance, or with a rehearsed status."""
        found = component.finding
        if self.kind == "maintenance":
            paused = Finding.pause(_MAINTENANCE, **self._facts(found)).around(found)
            return replace(component, finding=paused, override="maintenance")
        return replace(
            component,
            finding=Finding(_REHEARSED[self.kind], _REHEARSAL, **self._facts(found)).around(found),
            measured_at=timezone.now(),  # a new measurement at each tick, however long the TTL is
            age_s=0.0,
            late=False,
            override="rehearsal",
        )

    def _facts(self, found: Finding) -> dict[str, str]:
        until = moment_text(self.until, "dated minutes")
        return {"until": until, "by": self.by, "reason": self.reason, "found": found.english}


@dataclass(frozen=True)
class ActiveOverrides:
    """The overrides read at one moment. Of two on one component the one made last wins."""

    overrides: Sequence[Override] = ()
    usual_p95_ms: Mapping[str, float] = field(default_factory=dict)

    def for_component(self, name: str, now_s: float) -> Override | None:
        """Return the override in force for a component at `now_s` on the engine's clock."""
        return next(
            (
                each
                for each in self.overrides
                if each.component in ("", name) and each.starts_s <= now_s < each.ends_s
            ),
            None,
        )

    def changes_in(self, now_s: float) -> float:
        """Return the seconds until an override next begins or ends."""
        moments = [moment for each in self.overrides for moment in (each.starts_s, each.ends_s)]
        return min((moment - now_s for moment in moments if moment > now_s), default=inf)


Read = Callable[[Clock], ActiveOverrides]
"""Reads the overrides; takes the engine's clock, on which their times are given."""


class OverrideReader:
    """Work for a slot: reads the overrides.

    While the database is down the overrides read last stay in force, and end at their time.
    """

    def __init__(self, read: Read, *, clock: Clock) -> None:
        self._read, self._clock = read, clock
        self.known = ActiveOverrides()

    def __call__(self, flight: Flight) -> Result[ActiveOverrides]:
        try:
            self.known = self._read(self._clock)
        except DatabaseError as error:
            # The database's own probe reports it.
            logger.debug("health.overrides_kept", error=type(error).__name__)
        except Exception:
            # A failure to read overrides must not change the state of any component.
            logger.exception("health.overrides_kept")
        return Result(self.known, None, timezone.now(), self._clock())


def read(clock: Clock) -> ActiveOverrides:
    """Read present and future overrides, and usual latencies, in one statement.

    Rehearsals are left out where they are not allowed, and so are kinds that only another release knows.
    """
    kinds = ["maintenance", *(_REHEARSED if settings.HEALTH_REHEARSALS else ())]
    with connection.cursor() as cursor:
        now_s = clock()  # not earlier: waiting for a connection takes time
        cursor.execute(_READ, {"kinds": kinds})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    overrides = [
        Override(component, kind, reason, by, until.astimezone(UTC), now_s + starts_in_s, now_s + ends_in_s)
        for _, component, kind, reason, by, until, starts_in_s, ends_in_s, _ in rows
        if kind
    ]
    return ActiveOverrides(tuple(overrides), {row[1]: row[-1] for row in rows if not row[2]})


_READ = """
SELECT id, component, kind, reason, made_by, ends_at,
       extract(epoch FROM starts_at - statement_timestamp())::float8,
       extract(epoch FROM ends_at - statement_timestamp())::float8, NULL
FROM health_override
WHERE ended_at IS NULL AND ends_at > statement_timestamp() AND kind = ANY(%(kinds)s)
UNION ALL
SELECT 0, component, '', '', '', NULL, NULL, NULL, usual_p95_ms
FROM health_state WHERE usual_p95_ms IS NOT NULL
ORDER BY 1 DESC
"""
