"""Creates and ends maintenance windows and rehearsals, by the database's clock (docs/health.md, rule 19)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models.functions import Now

from healthcheck.models import HealthOverride
from healthcheck.templatetags.moments import iso

logger = structlog.get_logger(__name__)

Kind = HealthOverride.Kind

LONGEST = {
    Kind.MAINTENANCE: timedelta(hours=24),
    Kind.WARN: timedelta(minutes=60),
    Kind.FAIL: timedelta(minutes=60),
}
"""So that a forgotten override cannot hide a failure for long."""


class OverrideRefused(ValueError):
    """The kind is not allowed here, or it lasts too long.

    The text is for developers; the form has its own.
    """


@dataclass(frozen=True)
class OverrideRequest:
    """What to override. `component` is "" for all; `starts_at` None means now, by the database's clock."""

    component: str
    kind: Kind
    lasts: timedelta
    reason: str
    starts_at: datetime | None = None


def allowed_kinds() -> list[Kind]:
    """Return the kinds that may be created here: no rehearsals in live mode."""
    return [kind for kind in Kind if kind == Kind.MAINTENANCE or settings.HEALTH_REHEARSALS]


def impose(request: OverrideRequest, by: str) -> HealthOverride:
    """Create an override. Every process reads it within 3 s.

    Raises:
        OverrideRefused: the kind is not allowed here, or it lasts too long.
    """
    if request.kind not in allowed_kinds():
        raise OverrideRefused(f"{request.kind}: rehearsals are not allowed here")
    if not timedelta(0) < request.lasts <= LONGEST[request.kind]:
        raise OverrideRefused(f"{request.kind} for {request.lasts}: limit {LONGEST[request.kind]}")
    starts = request.starts_at or Now()
    made = HealthOverride.objects.create(
        component=request.component,
        kind=request.kind,
        starts_at=starts,
        ends_at=starts + request.lasts,
        reason=request.reason,
        made_by=by,
    )
    made.refresh_from_db()
    logger.warning(
        "health.imposed",
        component=made.component or "all",
        kind=made.kind,
        by=by,
        starts_at=iso(made.starts_at),
        ends_at=iso(made.ends_at),
    )
    return made


def end(made: HealthOverride, by: str) -> bool:
    """End an override now, even before its start; return False if it was over already."""
    in_time = HealthOverride.objects.filter(pk=made.pk, ended_at=None, ends_at__gt=Now())
    ended = bool(in_time.update(ended_at=Now(), ended_by=by))
    if ended:
        made.refresh_from_db()
        logger.warning("health.imposed_ended", component=made.component or "all", kind=made.kind, by=by)
    return ended
