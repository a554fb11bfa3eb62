"""Runs that an operator requested."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from tests.jobs import timetables
from tests.jobs.conftest import COMMITTED
from tradingsite.jobs import control
from tradingsite.jobs.models import JobState
from tradingsite.jobs.scheduler import supervisor
from tradingsite.jobs.scheduler.loop import SafeScheduler

pytestmark = COMMITTED


@pytest.fixture
def ran():
    return []


@pytest.fixture
def loop(ran):
    release = threading.Event()

    def run_tick(name, tick):
        ran.append((name, tick))
        if name == "blocking":
            release.wait(60)

    scheduler = SafeScheduler(timetables.RARE, run_tick=run_tick, skipped=print)
    scheduler.release = release
    scheduler.start(paused=True)
    JobState.objects.register(job.name for job in timetables.RARE)
    yield scheduler
    release.set()
    scheduler.end()


def request_run(name):
    JobState.objects.filter(job_name=name).update(run_requested_at=Now(), run_requested_by="ann")


def test_no_request_yields_no_run(loop):
    assert control.requested_runs(loop.job_names) == []


def test_requested_run_is_claimed_as_its_request_time(loop):
    request_run("good")

    (request,) = control.requested_runs(loop.job_names)

    assert request.job_name == "good"
    assert request.tick == JobState.objects.get(job_name="good").run_requested_at


def test_tick_run_after_the_request_does_not_block_the_claim(loop):
    request_run("good")
    JobState.objects.filter(job_name="good").update(
        last_tick=F("run_requested_at") + timedelta(milliseconds=1)
    )

    (request,) = control.requested_runs(loop.job_names)

    assert JobState.objects.filter(job_name="good", last_tick__lt=request.tick).exists()


def test_requested_run_waits_for_the_current_run_of_its_job(loop, ran):
    request_run("blocking")
    supervisor.hand_out_requests(loop)
    supervisor.hand_out_requests(loop)
    supervisor.hand_out_requests(loop)
    request_run("good")
    supervisor.hand_out_requests(loop)
    loop._threads["good"]._pool.shutdown()
    loop.release.set()
    loop._threads["blocking"]._pool.shutdown()

    assert [name for name, _ in ran] == ["blocking", "good"]


def test_due_tick_comes_before_a_request(loop, ran):
    """After the claim of a later instant the tick could not be claimed."""
    request_run("good")
    (request,) = control.requested_runs(loop.job_names)
    job = loop.store.lookup_job("good")

    job._modify(next_run_time=request.tick - timedelta(milliseconds=1))
    supervisor.hand_out_requests(loop)
    assert ran == []

    job._modify(next_run_time=request.tick + timedelta(milliseconds=1))
    supervisor.hand_out_requests(loop)
    loop._threads["good"]._pool.shutdown()
    assert ran == [("good", request.tick)]


def test_request_for_an_unknown_job_is_kept(loop, ran):
    JobState.objects.register(["of_another_version"])
    request_run("of_another_version")

    supervisor.hand_out_requests(loop)

    assert ran == []
    assert JobState.objects.filter(run_requested_at__isnull=False).exists()


def test_refused_hand_out_is_tried_again(loop):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_state RENAME TO away")
    try:
        supervisor.run_until_failure(lambda: supervisor.hand_out_requests(loop))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO job_state")
