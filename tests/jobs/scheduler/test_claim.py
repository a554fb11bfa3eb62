"""Which scheduler may run which tick (docs/scheduler.md R7; F2, F12, F28)."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.models.functions import Now
from django.utils import timezone

from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import COLLECT, job_of, lead, nothing, runner_of, state
from tradingsite.jobs.models import JobState
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.scheduler.claim import Claim, NotClaimed, claim

pytestmark = COMMITTED


def got(job, tick, epoch):
    return isinstance(claim(job, tick, epoch), Claim)


def change(**values):
    JobState.objects.filter(job_name=COLLECT).update(**values)


def test_tick_is_claimed_once_and_an_older_one_never():
    job, epoch = job_of(nothing), lead()

    assert [got(job, at(s), epoch) for s in (10, 10, 0, 20, 10)] == [True, False, False, True, False]
    assert (state().last_tick, state().claim_epoch) == (at(20), epoch)
    assert state().running_since == state().last_started_at


def test_only_the_current_epoch_claims():
    job, former = job_of(nothing), lead()
    present = lead()

    assert not got(job, at(10), former)
    assert claim(job, at(10), former) == NotClaimed(f"another scheduler leads; epoch {former} is over")
    assert state().last_tick is None
    assert got(job, at(10), present)


def test_paused_job_is_not_claimed():
    job, epoch = job_of(nothing), lead()
    change(paused=True, pause_reason="operator: lunch")

    assert claim(job, at(10), epoch) == NotClaimed("paused: lunch", paused=True)
    assert state().last_tick is None


def test_one_of_many_concurrent_claims_succeeds():
    job, epoch = job_of(nothing), lead()
    ready, won = threading.Barrier(8), list[int]()

    def want():
        try:
            connection.ensure_connection()
            ready.wait(60)
            won.extend(tick for tick in range(30) if got(job, at(tick), epoch))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(won) == len(set(won)) > 0


def test_job_without_a_row_is_not_claimed():
    job, epoch = job_of(nothing), lead()
    JobState.objects.all().delete()

    assert claim(job, at(10), epoch) == NotClaimed("the job has no row")


def test_last_tick_in_the_future_stops_no_claim():
    job, epoch = job_of(nothing), lead()
    now = timezone.now()
    change(last_tick=now + timedelta(hours=1))

    assert got(job, now, epoch)
    assert not got(job, now, epoch)


def test_killed_first_run_is_claimed_again_until_it_succeeds():
    job, first = job_of(nothing, at_once=True), lead()
    assert got(job, at(10), first)
    assert not got(job, at(10), first)

    lead()
    runner_of(job).close_abandoned()
    second = lead()
    assert got(job, at(10), second)
    JobState.objects.record(RunResult(COLLECT, at(10), 1.0, epoch=second))
    assert not got(job, at(10), lead())


def test_two_quick_requests_are_one_run_with_the_last_requester():
    ran = []

    def body(tick):
        ran.append(tick)
        return {}

    runner = runner_of(job_of(body))
    change(run_requested_at=Now(), run_requested_by="ann")
    change(run_requested_at=Now(), run_requested_by="bob")
    requested = state().run_requested_at

    runner.run_tick(COLLECT, requested)
    runner.run_tick(COLLECT, requested)

    assert ran == [requested]
    assert (state().run_requested_at, state().run_requested_by, state().last_requested_by) == (
        None,
        "",
        "bob",
    )
    runner.run_tick(COLLECT, requested + timedelta(seconds=10))
    assert state().last_requested_by == ""


def test_request_during_a_run_is_kept():
    job, epoch = job_of(nothing), lead()
    assert got(job, at(10), epoch)
    change(run_requested_at=Now(), run_requested_by="ann")

    JobState.objects.record(RunResult(COLLECT, at(10), 1.0, epoch=epoch))

    assert state().run_requested_at is not None


def test_request_for_a_paused_job_is_refused_once_and_dropped(metrics):
    runner = runner_of(job_of(nothing))
    change(paused=True, pause_reason="operator: lunch", run_requested_at=Now(), run_requested_by="ann")

    runner.run_tick(COLLECT, state().run_requested_at)

    assert (state().run_requested_at, state().last_tick) == (None, None)
    assert [line["error"] for line in metrics()] == ["refused: paused: lunch"]


def test_pause_is_logged_at_its_first_tick_only(metrics):
    runner = runner_of(job_of(nothing))
    change(paused=True, pause_reason="operator: lunch")
    for second in (10, 20, 30):
        runner.run_tick(COLLECT, at(second))
    change(paused=False)
    runner.run_tick(COLLECT, at(40))
    change(paused=True)
    runner.run_tick(COLLECT, at(50))

    assert [line["error"] for line in metrics()] == [
        "refused: paused: lunch",
        None,
        "refused: paused: lunch",
    ]


@pytest.mark.parametrize(
    ("always_tried", "minutes", "claimed"), [(True, 6, True), (True, 4, False), (False, 6, False)]
)
def test_quarantined_job_that_guards_money_is_tried_every_five_minutes(always_tried, minutes, claimed):
    job, epoch = job_of(nothing, always_tried=always_tried), lead()
    change(paused=True, pause_reason="quarantine: x", paused_at=Now() - timedelta(minutes=minutes))

    assert got(job, at(10), epoch) is claimed
    assert not got(job, at(20), epoch)


def test_operators_pause_has_no_trial_runs():
    job, epoch = job_of(nothing, always_tried=True), lead()
    change(paused=True, pause_reason="operator: x", paused_at=Now() - timedelta(hours=1))

    assert not got(job, at(10), epoch)
