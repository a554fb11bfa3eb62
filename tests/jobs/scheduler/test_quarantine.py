"""Runs that were cut off with their process, and jobs that end it (docs/scheduler.md R3, R13; F24, F26)."""

import threading
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import COLLECT, job_of, lead, nothing, runner_of, state
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.scheduler import quarantine
from tradingsite.jobs.scheduler.claim import Claim, claim

pytestmark = COMMITTED


def events(kind):
    return JobEvent.objects.filter(kind=kind, job_name=COLLECT)


def die(job, second, *, by_hard_limit=True):
    """Claim a tick and end: at the hard limit, or killed."""
    assert isinstance(claim(job, at(second), lead()), Claim)
    if by_hard_limit:
        quarantine.note_overrun(job, 99)


def take_over(job):
    runner = runner_of(job)
    runner.close_abandoned()
    return runner


def age(runner, seconds):
    """Let the run look as if it had begun so much earlier."""
    runner._running[COLLECT].began_s -= seconds


def test_next_leader_closes_a_killed_run_with_one_metric(metrics):
    job = job_of(nothing)
    die(job, 10, by_hard_limit=False)

    take_over(job)
    take_over(job)

    assert [line["error"] for line in metrics()] == ["aborted: its scheduler ended first"]
    assert (state().running_since, state().runs, state().consecutive_failures) == (None, 1, 1)
    assert state().recent == [{"tick": at(10).isoformat(), "outcome": "aborted"}]
    assert events("aborted").count() == 1


def test_leader_that_thaws_does_not_overwrite_what_the_next_one_closed(metrics):
    begun, release = threading.Event(), threading.Event()

    def body(_tick):
        begun.set()
        assert release.wait(60)
        return {"done": 1}

    job = job_of(body)
    frozen = runner_of(job)
    thread = threading.Thread(target=frozen.run_tick, args=(COLLECT, at(10)))
    thread.start()
    assert begun.wait(60)
    take_over(job)
    assert isinstance(claim(job, at(20), lead()), Claim)

    release.set()
    thread.join(60)

    now = state()
    assert (now.last_tick, now.last_success, now.runs, now.last_counts) == (at(20), False, 1, {})
    assert now.running_since is not None
    assert [line["error"] for line in metrics()] == ["aborted: its scheduler ended first", None]


def test_run_over_its_hard_limit_is_logged_once_and_noted_for_the_next_leader(metrics):
    begun, release = threading.Event(), threading.Event()

    def body(_tick):
        begun.set()
        assert release.wait(60)
        return {}

    job = job_of(body, deadline_s=60)
    runner = runner_of(job)
    thread = threading.Thread(target=runner.run_tick, args=(COLLECT, at(10)))
    thread.start()
    try:
        assert begun.wait(60)
        age(runner, job.nears_limit_s)
        assert runner.over_hard_limit() == []
        runner.flush()
        runner.flush()
        age(runner, 2)
        ((name, ran_s),) = runner.over_hard_limit()
        runner.log_hard_limit(name)
        runner.log_hard_limit("check_volatility")  # it has ended meanwhile
        logged = metrics()
        take_over(job)
        assert metrics() == logged
    finally:
        release.set()
        thread.join(60)

    assert ran_s > job.hard_limit_s == 92
    assert [line["error"] for line in logged] == ["hard limit exceeded: still running, limit 92 s"]
    assert events("hard_limit").count() == 1
    assert events("aborted").get().text == "by its hard limit of 92 s"


def test_third_exit_within_fifteen_minutes_puts_a_job_in_quarantine():
    job = job_of(nothing, deadline_s=8)
    for second in (10, 20):
        die(job, second)
        take_over(job)
        assert not state().paused
    die(job, 30)
    take_over(job)

    reason = "quarantine: ended its process 3 times within 15 min, by its hard limit of 14 s"
    assert (state().paused, state().paused_by, state().pause_reason) == (True, "scheduler", reason)
    assert events("quarantined").get().text == reason
    assert not isinstance(claim(job, at(40), lead()), Claim)


def test_old_exits_and_killed_runs_do_not_count():
    job = job_of(nothing)
    for second in (10, 20, 30, 40):
        die(job, second)
        take_over(job)
        events("aborted").update(at=F("at") - timedelta(minutes=8))
    for second in (50, 60, 70):
        die(job, second, by_hard_limit=False)
        take_over(job)

    assert not state().paused


def test_exits_before_a_resume_do_not_count():
    job = job_of(nothing)
    for second in (10, 20, 30):
        die(job, second)
        take_over(job)
    JobState.objects.update(paused=False, pause_reason="")
    JobEvent.objects.create(job_name=COLLECT, kind="resumed", by="ann")
    die(job, 40)
    take_over(job)

    assert not state().paused


def test_only_a_successful_trial_run_ends_the_quarantine():
    fails = [True]

    def body(_tick):
        if fails[0]:
            raise ValueError
        return {}

    job = job_of(body, always_tried=True)
    runner = runner_of(job)
    JobState.objects.update(
        paused=True,
        pause_reason="quarantine: x",
        paused_at=Now() - timedelta(minutes=6),
        paused_by="scheduler",
    )
    runner.run_tick(COLLECT, at(10))
    assert (state().paused, state().runs) == (True, 1)

    fails[0] = False
    JobState.objects.update(paused_at=Now() - timedelta(minutes=6))
    runner.run_tick(COLLECT, at(20))

    assert (state().paused, state().pause_reason, state().paused_at) == (False, "", None)
    assert events("resumed").count() == 1


def test_overrun_that_cannot_be_noted_is_noted_at_the_next_flush(caplog):
    begun, release = threading.Event(), threading.Event()

    def body(_tick):
        begun.set()
        assert release.wait(60)
        return {}

    job = job_of(body, deadline_s=60)
    runner = runner_of(job)
    thread = threading.Thread(target=runner.run_tick, args=(COLLECT, at(10)))
    thread.start()
    assert begun.wait(60)
    age(runner, job.nears_limit_s)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_event RENAME TO away")
    try:
        runner.flush()
        assert "runner.overrun_not_noted" in caplog.text
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO job_event")
    runner.flush()
    release.set()
    thread.join(60)

    assert events("hard_limit").count() == 1
