"""Slow is over three times a component's own usual time, and over a floor (docs/health.md, 18)."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from healthcheck.checks import health_probes
from healthcheck.declared import ProbeTask
from healthcheck.engine.active_overrides import ActiveOverrides, Override, read
from healthcheck.engine.override_layer import with_slowness
from healthcheck.models import HealthState
from healthcheck.report import Finding
from healthcheck.snapshot import Component
from tests.healthcheck.conftest import all_landed

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
WELL = Finding("healthy", "fine")


def judged(took_ms, *, usual_ms=120.0, finding=WELL, **task):
    component = Component("api", finding, took_ms, NOON, 0.0, late=False)
    usual = {} if usual_ms is None else {"api": usual_ms}
    return with_slowness(component, ProbeTask(name="api", probe="", **task), usual)


def test_an_answer_over_three_times_its_usual_time_is_a_ready_warning():
    slow = judged(812.4)

    assert (slow.status, slow.raw) == ("warning", WELL)
    assert slow.finding.english == "took 812 ms, over three times its usual 95th percentile of 120 ms"
    assert slow.finding.ready
    assert slow.latency_ms == 812.4


@pytest.mark.parametrize(
    ("took_ms", "options"),
    [
        (360.0, {}),  # three times is not over three times
        (249.0, {"usual_ms": 2.0}),  # the floor
        (9000.0, {"slow_ms": None}),
        (9000.0, {"usual_ms": None}),  # nothing is known yet
        (None, {}),
        (9000.0, {"finding": Finding("unhealthy", "broken")}),
        (9000.0, {"finding": Finding("warning", "late")}),
        (9000.0, {"finding": Finding.pause("switched off")}),
        (9000.0, {"finding": Finding.unjudged("nobody can tell")}),
    ],
)
def test_no_other_answer_becomes_a_slow_warning(took_ms, options):
    found = judged(took_ms, **options)

    assert found.finding is found.raw
    assert found.finding == options.get("finding", WELL)


def test_a_floor_of_its_own():
    assert judged(30.0, usual_ms=2.0, slow_ms=20).status == "warning"


@pytest.fixture
def engine(engine_of, probe, scripts, monkeypatch):
    """An engine of one component whose answers take what the test says."""
    took_ms = {"api": 0.0}
    engine = engine_of(
        probe("api", scripts()), read_overrides=lambda _clock: ActiveOverrides(usual_p95_ms={"api": 100.0})
    )
    found = engine._found
    engine._found = lambda slot: replace(found(slot), latency_ms=took_ms["api"])
    engine.took_ms = took_ms
    return engine


def states(engine, clock, *taken_ms):
    found = []
    for taken_ms_each in taken_ms:
        engine.took_ms["api"] = taken_ms_each
        clock.advance(1.1)
        found.append(engine.component("api").status)
        assert all_landed(engine)
    return found


def test_a_slow_answer_is_logged_once_a_change(engine, clock):
    with capture_logs() as logs:
        assert states(engine, clock, 10.0, 400.0, 500.0, 10.0, 600.0) == [
            "healthy",
            "warning",
            "warning",
            "healthy",
            "warning",
        ]

    slow_logs = [log for log in logs if log["event"] == "health.slow"]
    assert [(log["component"], log["took_ms"], log["usual_ms"]) for log in slow_logs] == [
        ("api", 400.0, 100.0),
        ("api", 600.0, 100.0),
    ]


def test_a_maintenance_of_a_slow_component_shows_both_findings():
    override = Override("api", "maintenance", "new disks", "kim", NOON, 0, 9)

    shown = override.apply_to(judged(812.0))

    assert (shown.status, shown.raw) == ("healthy", WELL)
    assert shown.finding.english.endswith(
        "without it: took 812 ms, over three times its usual 95th percentile of 120 ms"
    )


@pytest.mark.django_db
def test_usual_times_are_read_from_the_stored_states():
    HealthState.objects.create(
        component="upbit_api", status="healthy", since=NOON, seen_at=NOON, usual_p95_ms=42.5
    )

    assert read(time.monotonic).usual_p95_ms == {"upbit_api": 42.5}


def test_no_floor_is_a_floor_that_nothing_reaches(settings):
    settings.HEALTH_PROBES = [{"name": "api", "probe": "tests.healthcheck.samples.fine", "slow_ms": None}]

    assert health_probes(None) == []
