"""Runs that somebody asked for."""

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
        if name == "held":
            release.wait(10)

    scheduler = SafeScheduler(timetables.RARE, run_tick=run_tick, skipped=print)
    scheduler.release = release
    scheduler.start(paused=True)
    JobState.objects.register(job.name for job in timetables.RARE)
    yield scheduler
    release.set()
    scheduler.end()


def ask_for(name):
    JobState.objects.filter(job_name=name).update(run_requested_at=Now(), run_requested_by="ann")


def test_nobody_asked_for_anything(loop):
    assert control.requested_runs(loop.job_names) == []


def test_a_run_is_claimed_as_the_moment_it_was_asked_for(loop):
    ask_for("good")

    (request,) = control.requested_runs(loop.job_names)

    assert request.job_name == "good"
    assert request.tick == JobState.objects.get(job_name="good").run_requested_at


def test_a_tick_that_was_run_since_does_not_make_the_claim_impossible(loop):
    ask_for("good")
    JobState.objects.filter(job_name="good").update(
        last_tick=F("run_requested_at") + timedelta(milliseconds=1)
    )

    (request,) = control.requested_runs(loop.job_names)

    assert JobState.objects.filter(job_name="good", last_tick__lt=request.tick).exists()


def test_it_runs_in_the_job_s_own_thread_and_waits_for_the_run_before(loop, ran):
    ask_for("held")
    supervisor.hand_out_requests(loop)
    supervisor.hand_out_requests(loop)
    supervisor.hand_out_requests(loop)
    ask_for("good")
    supervisor.hand_out_requests(loop)
    loop._threads["good"]._pool.shutdown()
    loop.release.set()
    loop._threads["held"]._pool.shutdown()

    assert [name for name, _ in ran] == ["held", "good"]


def test_the_timetable_s_tick_that_is_due_comes_first(loop, ran):
    """The claim of a later moment would make that tick's impossible."""
    ask_for("good")
    (request,) = control.requested_runs(loop.job_names)
    job = loop.store.lookup_job("good")

    job._modify(next_run_time=request.tick - timedelta(milliseconds=1))
    supervisor.hand_out_requests(loop)
    assert ran == []

    job._modify(next_run_time=request.tick + timedelta(milliseconds=1))
    supervisor.hand_out_requests(loop)
    loop._threads["good"]._pool.shutdown()
    assert ran == [("good", request.tick)]


def test_one_of_a_job_that_this_version_does_not_know_is_left_to_those_who_do(loop, ran):
    JobState.objects.register(["of_another_version"])
    ask_for("of_another_version")

    supervisor.hand_out_requests(loop)

    assert ran == []
    assert JobState.objects.filter(run_requested_at__isnull=False).exists()


def test_what_the_database_refuses_is_tried_again(loop):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_state RENAME TO away")
    try:
        supervisor.run_until_failure(lambda: supervisor.hand_out_requests(loop))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO job_state")
