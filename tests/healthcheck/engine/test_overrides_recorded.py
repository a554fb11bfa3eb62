"""What is written of maintenance windows, rehearsals and slow answers (docs/health.md, 18 and 19)."""

import time
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from healthcheck.engine.active_overrides import read
from healthcheck.engine.engine import engine, forget_engine
from healthcheck.history import queries as history
from healthcheck.history import store
from healthcheck.history.recorder import Recorder
from healthcheck.models import (
    HealthHour,
    HealthOverride,
    HealthResult,
    HealthSample,
    HealthState,
    HealthTransition,
)
from healthcheck.report import Finding
from tests.healthcheck import samples
from tests.healthcheck.databases import unreachable
from tests.healthcheck.imposing import impose

WELL, BAD = Finding("healthy", "fine"), Finding("unhealthy", "broken")


@pytest.fixture
def site(settings, monkeypatch, transactional_db):
    """A database and an API, measured anew by every look, and a recorder whose minutes the test counts."""

    class Site:
        def __init__(self):
            self.now = timezone.now().replace(second=0, microsecond=0)
            self.found = {"database": WELL, "api": WELL}
            self.recorder = self.another()

        def another(self):
            return Recorder(lambda: True, clock=lambda: self.now)

        def look(self, times=1, recorder=None, **found):
            self.found |= found
            for _ in range(times):
                forget_engine()
                (recorder or self.recorder).tick()
                self.now += timedelta(minutes=1)

        def changes(self, name="api"):
            return [
                (row.before, row.after, row.rehearsal)
                for row in reversed(HealthTransition.objects.filter(component=name))
            ]

    made = Site()
    for name in made.found:
        monkeypatch.setattr(samples, f"is_{name}", lambda name=name: made.found[name], raising=False)
    settings.HEALTH_PROBES = [
        {"name": "database", "probe": "tests.healthcheck.samples.is_database"},
        {"name": "api", "probe": "tests.healthcheck.samples.is_api", "needs": ("database",)},
    ]
    yield made
    forget_engine()


def end_all():
    HealthOverride.objects.update(ended_at=Now(), ended_by="kim")


def minutes(name="api"):
    rows = HealthHour.objects.filter(component=name)
    return {
        kind: sum(getattr(row, kind) for row in rows)
        for kind in ("healthy", "warning", "unhealthy", "paused", "unjudged")
        if any(getattr(row, kind) for row in rows)
    }


def test_a_maintenance_is_neither_downtime_nor_a_change_to_unhealthy(site):
    site.look()
    impose("maintenance", "api")

    site.look(6, api=BAD)

    assert minutes() == {"healthy": 1, "paused": 6}
    assert site.changes() == []
    assert history.histories()["api"].uptime_pct["24h"] == 100
    assert HealthState.objects.get(component="api").last_error == ""


def test_a_failure_that_outlives_its_maintenance_is_a_change(site):
    impose("maintenance", "api")
    site.look(4, api=BAD)
    end_all()

    site.look(3)

    assert site.changes() == [("healthy", "unhealthy", False)]


@pytest.mark.parametrize("kind", ["warn", "fail"])
def test_a_rehearsal_is_recorded_as_such_and_is_no_downtime(site, kind):
    after = {"warn": "warning", "fail": "unhealthy"}[kind]
    site.look()
    impose(kind, "api")
    site.look(5)
    assert site.changes() == [("healthy", after, True)]

    end_all()
    site.look(2)

    assert site.changes() == [("healthy", after, True), (after, "healthy", True)]
    assert minutes() == {"healthy": 3, "paused": 5}
    assert HealthState.objects.get(component="api").last_error == ""


def test_a_real_failure_that_outlives_a_rehearsal_is_a_change_of_its_own(site):
    site.look()
    impose("fail", "api")
    site.look(4, api=BAD)
    end_all()

    site.look(3)

    assert site.changes() == [
        ("healthy", "unhealthy", True),
        ("unhealthy", "healthy", True),
        ("healthy", "unhealthy", False),
    ]


def test_the_next_recorder_ends_a_rehearsal_as_a_rehearsal(site):
    site.look()
    impose("fail", "api")
    site.look(4)
    end_all()
    second = site.another()

    site.look(3, recorder=second)
    site.look(1, recorder=site.another())

    assert site.changes() == [("healthy", "unhealthy", True), ("unhealthy", "healthy", True)]


def test_a_component_blocked_by_a_rehearsal_counts_as_paused_only(site):
    impose("fail", "database")

    site.look(4)

    assert minutes() == {"paused": 4}
    assert site.changes() == []
    assert site.changes("database") == [("healthy", "unhealthy", True)]


@pytest.mark.parametrize("kind", ["fail", "maintenance"])
def test_a_shared_result_never_contains_an_override(site, settings, kind):
    settings.HEALTH_PROBES = [
        {"name": "api", "probe": "tests.healthcheck.samples.is_api", "shared": True, "timeout_s": 0.2}
    ]
    impose(kind, "api")

    assert engine().component("api").override
    assert HealthResult.objects.get(name="api").message == "fine"


def test_overrides_begin_and_end_by_the_clock_of_the_database(site):
    impose("maintenance", "api", begins_s=60, lasts_s=30)
    impose("maintenance", "database", begins_s=-60, lasts_s=59)

    (known,) = read(lambda: 1000.0).overrides

    assert known.component == "api"
    assert known.starts_s == pytest.approx(1060, abs=2)
    assert known.ends_s == pytest.approx(1090, abs=2)


def test_an_override_ends_while_no_server_answers(site, tmp_path):
    impose("warn", "api")
    assert engine().component("api").override == "rehearsal"
    known = engine()._overrides._reader.known

    with unreachable(tmp_path):
        connections.close_all()
        assert engine().component("api").override == "rehearsal"
        object.__setattr__(known.overrides[0], "ends_s", time.monotonic())  # its end has come

        assert engine().component("api").override == ""


def test_overrides_are_read_newest_first_without_ended_ones(site):
    impose("maintenance", "api")
    impose("fail", "api")
    impose("warn", "api", ended_at=timezone.now(), ended_by="kim")

    assert [each.kind for each in read(time.monotonic).overrides] == ["fail", "maintenance"]


def test_without_permission_for_rehearsals_the_engine_reads_none(site, settings):
    settings.HEALTH_REHEARSALS = False
    for kind in ("warn", "fail"):
        impose(kind, "api")
    assert engine().component("api").override == ""

    impose("maintenance", "database")
    forget_engine()

    assert engine().component("api").override == ""
    assert engine().component("database").override == "maintenance"


def test_a_rehearsed_hang_of_release_0_6_0_is_ignored(site):
    impose("warn", "database")
    impose("hang")

    assert engine().component("api").override == ""
    assert engine().component("database").override == "rehearsal"


def test_overrides_are_read_in_one_statement(site, django_assert_num_queries):
    with django_assert_num_queries(1):
        read(time.monotonic)


class TestUsual:
    """What is usual is learnt of a day's healthy answers."""

    def sampled(self, number, *, name="api", ago_h=1.0, status="healthy", judged=True, paused=False, ms=None):
        at = timezone.now() - timedelta(hours=ago_h)
        HealthSample.objects.bulk_create(
            HealthSample(
                component=name,
                at=at - timedelta(seconds=each, hours=paused),
                status=status,
                judged=judged,
                paused=paused,
                latency_ms=float(each) if ms is None else ms,
            )
            for each in range(1, number + 1)
        )

    def learnt(self, name="api"):
        store.rewrite_usual()
        return HealthState.objects.get(component=name).usual_p95_ms

    @pytest.fixture(autouse=True)
    def _state(self, db):
        now = timezone.now()
        HealthState.objects.create(component="api", status="healthy", since=now, seen_at=now)

    def test_thirty_answers_are_enough(self):
        self.sampled(29)
        assert self.learnt() is None
        HealthSample.objects.all().delete()
        self.sampled(30)

        assert self.learnt() == pytest.approx(28.55)

    def test_only_healthy_judged_answers_of_a_day_count(self):
        self.sampled(30, ms=10.0)
        self.sampled(30, ms=900.0, ago_h=25)
        self.sampled(30, ms=900.0, ago_h=2, status="warning")
        self.sampled(30, ms=900.0, ago_h=3, judged=False)
        self.sampled(30, ms=900.0, ago_h=4, paused=True)
        self.sampled(30, ms=900.0, ago_h=6, name="other")

        assert self.learnt() == 10

    def test_it_is_forgotten_when_there_are_too_few(self):
        HealthState.objects.update(usual_p95_ms=10)

        assert self.learnt() is None

    def test_it_is_one_statement(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            store.rewrite_usual()


def test_the_recorder_learns_once_an_hour_and_keeps_it(site):
    def usual():
        return HealthState.objects.get(component="api").usual_p95_ms

    site.look()
    HealthState.objects.update(usual_p95_ms=77)
    site.now += timedelta(minutes=58)
    site.look()
    assert usual() == 77

    site.look()

    assert usual() is None  # too few samples by now
