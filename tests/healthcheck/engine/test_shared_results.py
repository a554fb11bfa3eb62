"""Shared probes: two engines here are two processes, since they have nothing but the database in common."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.models import F
from django.db.models.functions import Now
from structlog.testing import capture_logs

from healthcheck.alerts.sender import AlertSender
from healthcheck.engine import shared_results
from healthcheck.engine.engine import forget_engine
from healthcheck.history.recorder import Recorder
from healthcheck.models import Alert, HealthHour, HealthResult, HealthState, HealthTransition
from healthcheck.report import Finding
from tests.healthcheck.conftest import ENOUGH_S, all_landed
from tests.healthcheck.databases import another_session

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
SAID = Finding("warning", "late by %(late_s)d s", late_s=7)
SWITCHED_OFF = Finding.pause("switched off by %(who)s", who="kim")
UNSURE = Finding.unjudged("cannot be judged")


@pytest.fixture
def shared(probe, scripts):
    script = scripts()
    script.task = probe("exchange", script, shared=True, timeout_s=3, ttl_s=10, ttl_bad_s=5)
    return script


def only(engine):
    (component,) = engine.snapshot().components
    return component


def measured_ago(**age):
    HealthResult.objects.update(measured_at=Now() - timedelta(**age))


def test_one_process_runs_the_probe_and_the_others_read_its_result(engine_of, shared):
    shared.finding = SAID

    first, second = only(engine_of(shared.task)), only(engine_of(shared.task))

    assert shared.runs == 1
    assert second.finding == first.finding == SAID
    assert second.latency_ms == first.latency_ms
    assert abs(second.measured_at - first.measured_at) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "finding",
    [SWITCHED_OFF, UNSURE, Finding.ready_warning("slower"), Finding.timeout("no answer")],
    ids=["paused", "unjudged", "ready", "timed out"],
)
def test_a_process_that_only_reads_a_result_has_the_same_finding(engine_of, shared, finding):
    shared.finding = finding
    only(engine_of(shared.task))

    read = only(engine_of(shared.task)).finding

    assert shared.runs == 1
    assert read == finding
    assert read != Finding(finding.status, finding.message, **finding.params)


@pytest.fixture
def only_reads(engine_of, shared, settings):
    """Tick a recorder `times` a minute apart, each time after another process has measured anew."""
    settings.ALERT_WEBHOOK_URL = "http://127.0.0.1:1/"
    settings.HEALTH_PROBES = [
        {"name": "exchange", "probe": shared.task.probe, "shared": True, "ttl_s": 60, "ttl_bad_s": 60}
    ]
    now = NOON

    def tick(finding, times):
        nonlocal now
        shared.finding = finding
        recorder = Recorder(lambda: True, AlertSender(), clock=lambda: now)
        for _ in range(times):
            measured_ago(seconds=600)
            only(engine_of(shared.task))
            forget_engine()
            recorder.tick()
            now += timedelta(minutes=1)

    yield tick
    forget_engine()


@pytest.mark.parametrize(("finding", "counted"), [(SWITCHED_OFF, "paused"), (UNSURE, "unjudged")])
def test_a_shared_pause_or_unjudged_result_is_recorded_as_such(only_reads, shared, finding, counted):
    HealthState.objects.create(component="exchange", status="unhealthy", since=NOON, seen_at=NOON)

    only_reads(finding, times=4)

    assert shared.runs == 4
    hour = HealthHour.objects.get()
    minutes = {
        kind: getattr(hour, kind) for kind in ("healthy", "warning", "unhealthy", "paused", "unjudged")
    }
    assert minutes == dict.fromkeys(minutes, 0) | {counted: 4}
    assert [row.after for row in HealthTransition.objects.all()] == ["healthy"] * (finding is SWITCHED_OFF)
    assert not Alert.objects.exists()


def test_a_result_of_release_0_6_0_carries_no_flags_of_the_one_before(engine_of, shared):
    shared.finding = UNSURE
    only(engine_of(shared.task))
    measured_ago(seconds=60)
    with connection.cursor() as cursor:  # what that release executes; it does not know the flags
        cursor.execute(
            "UPDATE health_result SET status = 'warning', message = 'late', params = '{}', latency_ms = 1,"
            " measured_at = statement_timestamp(), claimed_until = NULL, claimed_by = NULL"
        )
        cursor.execute(
            "INSERT INTO health_result (name, status, message, params, latency_ms, measured_at)"
            " VALUES ('other', '', '', '{}', NULL, NULL)"
        )

    assert only(engine_of(shared.task)).finding == Finding("warning", "late")
    assert HealthResult.objects.get(name="other").current_flags == {}


def test_the_age_of_a_shared_result_counts_from_its_measurement(engine_of, shared):
    only(engine_of(shared.task))
    measured_ago(seconds=6)

    component = only(engine_of(shared.task))

    assert shared.runs == 1
    assert 6 <= component.age_s < 6 + ENOUGH_S


@pytest.mark.parametrize(("status", "ttl_s"), [("healthy", 10), ("warning", 5), ("unhealthy", 5)])
def test_a_shared_result_is_measured_again_after_its_ttl(engine_of, shared, status, ttl_s):
    shared.finding = Finding(status, "hm")
    only(engine_of(shared.task))

    measured_ago(seconds=ttl_s / 2)
    only(engine_of(shared.task))
    assert shared.runs == 1
    measured_ago(seconds=ttl_s)
    only(engine_of(shared.task))

    assert shared.runs == 2


def test_simultaneous_requests_of_several_processes_measure_once(engine_of, shared):
    engines = [engine_of(shared.task) for _ in range(8)]
    barrier, states = threading.Barrier(len(engines)), []

    def take_snapshot(engine):
        barrier.wait(ENOUGH_S)
        states.append(only(engine).status)

    threads = [threading.Thread(target=take_snapshot, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENOUGH_S)

    assert states == ["healthy"] * len(engines)
    assert shared.runs == 1


def test_during_a_new_run_other_processes_serve_the_last_result(engine_of, shared):
    only(engine_of(shared.task))
    measured_ago(seconds=11)
    shared.hold()
    shared.finding = SAID
    measuring, other = engine_of(shared.task), engine_of(shared.task)
    waits = threading.Thread(target=measuring.snapshot)
    waits.start()
    assert shared.began.wait(ENOUGH_S)

    assert (only(other).status, only(other).late) == ("healthy", True)
    shared.release()
    waits.join(ENOUGH_S)
    assert all_landed(measuring)
    assert all_landed(other)
    other._kept = None
    other.snapshot()
    assert all_landed(other)

    assert only(other).finding == SAID
    assert shared.runs == 2


def test_the_run_of_a_process_that_was_killed_is_taken_over(engine_of, shared):
    HealthResult.objects.create(
        name="exchange", claimed_by=uuid4(), claimed_until=Now() + timedelta(seconds=0.3)
    )

    assert only(engine_of(shared.task)).status == "healthy"
    assert shared.runs == 1


def test_a_result_with_a_lost_claim_is_not_stored():
    HealthResult.objects.create(name="exchange")
    limits = {"ttl_s": 10, "ttl_bad_s": 5, "hold_s": 4}
    lost = HealthResult.objects.claim("exchange", **limits)
    assert HealthResult.objects.claim("exchange", **limits) is None
    HealthResult.objects.update(claimed_until=F("claimed_until") - timedelta(seconds=5))
    newer = HealthResult.objects.claim("exchange", **limits)
    assert lost
    assert newer
    values = {"status": "healthy", "message": "fine", "params": {}, "latency_ms": 1.0}

    assert HealthResult.objects.publish("exchange", newer, values)
    assert not HealthResult.objects.publish("exchange", lost, values | {"status": "unhealthy"})
    assert HealthResult.objects.get(name="exchange").status == "healthy"


def test_a_database_that_does_not_answer_only_makes_the_run_unshared(engine_of, shared, monkeypatch):
    monkeypatch.setattr(shared_results, "ROW_WAIT_S", 0.1)
    first, second = engine_of(shared.task), engine_of(shared.task)
    with another_session() as session:
        session.execute("LOCK TABLE health_result IN ACCESS EXCLUSIVE MODE")
        assert only(first).status == only(second).status == "healthy"
        session.rollback()
    for thread in threading.enumerate():
        if thread.name == "health-bounded":
            thread.join(ENOUGH_S)

    assert shared.runs == 2


def test_a_database_that_refuses_only_makes_the_run_unshared(engine_of, shared):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE health_result RENAME TO hidden")
    try:
        assert only(engine_of(shared.task)).status == "healthy"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO health_result")
        connections.close_all()

    assert shared.runs == 1


def test_a_row_that_makes_no_sense_only_makes_the_run_unshared(engine_of, shared):
    HealthResult.objects.create(
        name="exchange", status="healthy", message="%(a)d", params={"b": 1}, measured_at=Now()
    )

    with capture_logs() as logs:
        assert only(engine_of(shared.task)).finding.english == "fine"

    assert [log["event"] for log in logs] == ["health.not_shared"]


def test_a_result_that_cannot_be_stored_is_still_this_processs_own(engine_of, shared):
    shared.hold()
    engine = engine_of(shared.task)
    asks = threading.Thread(target=engine.snapshot)
    asks.start()
    assert shared.began.wait(ENOUGH_S)
    with another_session() as session:
        session.execute("LOCK TABLE health_result IN ACCESS EXCLUSIVE MODE")
        engine._slots["exchange"]._work._bounded._limit_s = 0.1
        shared.release()
        asks.join(ENOUGH_S)
        session.rollback()

    assert only(engine).status == "healthy"
    assert str(HealthResult(name="exchange")) == "exchange"
