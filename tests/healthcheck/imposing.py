"""Rows of overrides, and an engine whose overrides a test sets."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from healthcheck.engine.active_overrides import ActiveOverrides
from healthcheck.models import HealthOverride

BY = "kim"


def impose(kind: str, component: str = "", *, begins_s: float = 0, lasts_s: float = 600, **more: Any) -> int:
    """Write an override by the database's clock; return its key."""
    starts = Now() + timedelta(seconds=begins_s)
    row = HealthOverride.objects.create(
        component=component,
        kind=kind,
        starts_at=starts,
        ends_at=starts + timedelta(seconds=lasts_s),
        **{"reason": "new disks", "made_by": BY} | more,
    )
    return int(row.pk)


def nothing(_clock: object) -> ActiveOverrides:
    return ActiveOverrides()
