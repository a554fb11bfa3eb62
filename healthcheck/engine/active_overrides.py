"""What staff impose on components for a time, and what is usual for each (docs/health.md, 18 and 19)."""

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
    """One row in force, or one that will be.

    Attributes:
        component: "" for all.
        starts_s, ends_s: on the engine's clock, as told by the database's; it needs no database to end.
    """

    component: str
    kind: str
    reason: str
    by: str
    until: datetime
    starts_s: float
    ends_s: float

    def apply_to(self, component: Component) -> Component:
        """Return the component as it is shown: paused on purpose, or as the rehearsal wants it."""
        found = component.finding
        if self.kind == "maintenance":
            paused = Finding.pause(_MAINTENANCE, **self._facts(found)).around(found)
            return replace(component, finding=paused, override="maintenance")
        return replace(
            component,
            finding=Finding(_REHEARSED[self.kind], _REHEARSAL, **self._facts(found)).around(found),
            measured_at=timezone.now(),  # news at each tick, however long the component's TTL is
            age_s=0.0,
            late=False,
            override="rehearsal",
        )

    def _facts(self, found: Finding) -> dict[str, str]:
        until = moment_text(self.until, "dated minutes")
        return {"until": until, "by": self.by, "reason": self.reason, "found": found.english}


@dataclass(frozen=True)
class ActiveOverrides:
    """What was read at one moment. The override that was made last wins."""

    overrides: Sequence[Override] = ()
    usual_p95_ms: Mapping[str, float] = field(default_factory=dict)

    def for_component(self, name: str, now_s: float) -> Override | None:
        """Return what is in force for a component at this moment of the engine's clock."""
        return next(
            (
                each
                for each in self.overrides
                if each.component in ("", name) and each.starts_s <= now_s < each.ends_s
            ),
            None,
        )

    def changes_in(self, now_s: float) -> float:
        moments = [moment for each in self.overrides for moment in (each.starts_s, each.ends_s)]
        return min((moment - now_s for moment in moments if moment > now_s), default=inf)


Read = Callable[[Clock], ActiveOverrides]
"""Takes the engine's clock, by which its moments are told."""


class OverrideReader:
    """Work for a slot. While the database is away what was read last holds, and ends in time."""

    def __init__(self, read: Read, *, clock: Clock) -> None:
        self._read, self._clock = read, clock
        self.known = ActiveOverrides()

    def __call__(self, flight: Flight) -> Result[ActiveOverrides]:
        try:
            self.known = self._read(self._clock)
        except DatabaseError as error:
            logger.debug("health.overrides_kept", error=type(error).__name__)  # its own probe tells
        except Exception:
            # Whatever is wrong with it must not decide what is said of a component.
            logger.exception("health.overrides_kept")
        return Result(self.known, None, timezone.now(), self._clock())


def read(clock: Clock) -> ActiveOverrides:
    """Read what is in force or will be, in one statement. Where rehearsals are not allowed there are none.

    Kinds that only another release knows are not read.
    """
    kinds = ["maintenance", *(_REHEARSED if settings.HEALTH_REHEARSALS else ())]
    with connection.cursor() as cursor:
        now_s = clock()  # not before: a connection may have to be waited for
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
