"""Ninety days of recorded health, with outages and a pause."""

from datetime import timedelta
from math import sin

from django.utils import timezone

from healthcheck.models import HealthHour, HealthSample, HealthState, HealthTransition
from healthcheck.report import component_names

PAUSED = range(24 * 20, 24 * 22)
SILENT = range(600, 700)
"""Minutes ago in which no sample was taken."""


def plant() -> None:
    """Record a different past for every component, the same at each call."""
    now = timezone.now().replace(second=0, microsecond=0)
    for number, name in enumerate(component_names()):
        _hours(number, name, now)
        _samples(number, name, now)
        _changes(number, name, now)


def _hours(number, name, now):
    hour = now.replace(minute=0)
    rows = []
    for ago in range(24 * 90):
        counts = {"healthy": 60}
        if (ago + 71 * number) % 331 == 200:
            counts = {"healthy": 30, "unhealthy": 30}
        elif (ago + 37 * number) % 149 == 100:
            counts = {"healthy": 40, "warning": 20}
        elif number == 2 and ago in PAUSED:
            counts = {"paused": 60}
        rows.append(HealthHour(component=name, hour=hour - timedelta(hours=ago), **counts))
    HealthHour.objects.bulk_create(rows)


def _samples(number, name, now):
    minutes = [ago for ago in range(24 * 60) if number != 1 or ago not in SILENT]
    HealthSample.objects.bulk_create(
        HealthSample(
            component=name,
            at=now - timedelta(minutes=ago),
            status="healthy",
            judged=True,
            paused=False,
            latency_ms=(number + 1) * 8 * (2 + sin(ago / 90) + 0.7 * sin(ago * ago)),
        )
        for ago in minutes
    )


def _changes(number, name, now):
    since = now - timedelta(hours=5 * number + 2)
    error = {"last_error_at": since - timedelta(minutes=1), "last_error": "no answer within %(limit)d s"}
    HealthState.objects.create(
        component=name,
        status="healthy",
        since=since,
        last_good_at=now,
        seen_at=now,
        last_error_params={"limit": 5},
        **error,
    )
    for before in range(3):
        at = since - timedelta(hours=30 * before)
        down = {"before": "healthy", "after": "unhealthy", "message": error["last_error"], "version": "0.5.0"}
        HealthTransition.objects.create(
            component=name,
            at=at - timedelta(minutes=9),
            params={"limit": 5},
            rehearsal=before == 1,
            **down,
        )
        HealthTransition.objects.create(
            component=name, at=at, before="unhealthy", after="healthy", message="answered", version="0.5.0"
        )
