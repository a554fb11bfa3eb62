"""What each outcome logs and records (docs/scheduler.md R15, R21; F4, F7, F25)."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum

from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import COLLECT, job_of, lead, nothing, raises, runner_of, state
from tradingsite.clients.errors import Unreachable
from tradingsite.jobs import fence
from tradingsite.jobs.models import MOST_RECENT, JobHour, JobRun, JobState
from tradingsite.jobs.records import rollup
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.scheduler.claim import Claim, claim

pytestmark = COMMITTED


def test_every_outcome_logs_one_line_of_the_same_form(metrics):
    answers = iter([{}, Unreachable("no answer"), SystemExit(3), KeyboardInterrupt()])

    def body(_tick):
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    rollup.flush()
    JobHour.objects.all().delete()
    job = job_of(body, deadline_s=0.5)
    runner = runner_of(job)
    for second in (10, 20, 30, 40):
        runner.run_tick(COLLECT, at(second))
    runner.run_tick(COLLECT, at(40))
    runner.skip(COLLECT, at(50))
    lead()
    runner.run_tick(COLLECT, at(60))
    runner.close()
    runner.run_tick(COLLECT, at(70))

    assert [line["error"] for line in metrics()] == [
        None,
        "Unreachable: no answer",
        "SystemExit: 3",
        "KeyboardInterrupt",
        "refused: the tick of 2026-01-24 12:00:40.000000 UTC has been claimed",
        "skipped: its previous run has not ended",
        "refused: another scheduler leads; epoch 1 is over",
        "skipped: the scheduler is stopping",
    ]
    assert all(line["timestamp"].endswith("Z") for line in metrics())
    assert (state().running_since, state().runs, state().consecutive_failures) == (None, 4, 3)
    rollup.flush()
    hours = JobHour.objects.aggregate(Sum("runs"), Sum("failures"), Sum("skipped"))
    assert hours == {"runs__sum": 4, "failures__sum": 3, "skipped__sum": 4}


def test_recent_outcomes_are_kept_with_their_ticks_up_to_a_limit():
    def body(tick):
        if tick == at(101):
            raise OSError
        return {}

    runner = runner_of(job_of(body))
    for second in range(MOST_RECENT - 3):
        runner.run_tick(COLLECT, at(second))
    runner.skip(COLLECT, at(100))
    runner.run_tick(COLLECT, at(101))
    assert len(state().recent) == MOST_RECENT - 1
    for second in (102, 103, 104):
        runner.skip(COLLECT, at(second))
    assert len(state().recent) == MOST_RECENT - 1, "a skip costs no statement of its own"
    runner.run_tick(COLLECT, at(105))

    recent = state().recent
    assert len(recent) == MOST_RECENT
    assert [each["outcome"] for each in recent[-7:]] == ["ok", "skipped", "failed", *["skipped"] * 3, "ok"]
    assert recent[-1]["tick"] == at(105).isoformat()


def test_attempts_and_lateness_are_recorded():
    runner = runner_of(job_of(nothing), clock=lambda: at(10.25))

    runner.run_tick(COLLECT, at(10))

    assert (state().last_attempts, state().last_lateness_ms, state().claim_epoch) == (1, 250.0, 1)


@pytest.mark.parametrize("text", ["x" * 3000, "a\0b" * 500, "비밀 \ud800" * 400])
def test_run_is_recorded_whatever_its_error_text(text):
    runner = runner_of(job_of(raises(ValueError(text))))

    runner.run_tick(COLLECT, at(10))

    assert state().running_since is None
    assert state().last_error.startswith("ValueError: ")
    assert len(state().last_error) <= 500
    assert JobRun.objects.get().exception == state().last_error


def test_run_that_ends_during_an_outage_is_recorded_afterwards(metrics):
    job = job_of(nothing)

    def body(_tick):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE job_state RENAME TO away")
        return {"done": 1}

    runner = runner_of(job_of(body))
    runner.run_tick(COLLECT, at(10))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO job_state")
    assert state().running_since is not None
    runner.flush()

    assert (state().running_since, state().last_counts, job.name) == (None, {"done": 1}, COLLECT)
    assert len(metrics()) == 1


def test_refused_row_delays_no_other_job():
    good = job_of(nothing, name="check_volatility", every=timedelta(seconds=30))
    runner = runner_of(job_of(nothing), good)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE job_state ADD CONSTRAINT refusing"
            " CHECK (runs = 0 OR job_name <> 'collect_market_data')"
        )
    try:
        runner.run_tick(COLLECT, at(10))
        runner.run_tick("check_volatility", at(10))
        assert (state().runs, state("check_volatility").runs) == (0, 1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE job_state DROP CONSTRAINT refusing")
    runner.run_tick(COLLECT, at(20))

    assert (state().runs, state().last_tick, state().running_since) == (2, at(20), None)


def test_run_of_an_old_term_may_not_post_in_a_newer_one():
    allowed, begun, release = [], threading.Event(), threading.Event()

    def body(_tick):
        allowed.append(fence.may_post())
        begun.set()
        assert release.wait(60)
        allowed.append(fence.may_post())
        return {}

    job, terms = job_of(body), [lead()]
    runner = runner_of(job, epoch=terms[0])
    thread = threading.Thread(target=runner.run_tick, args=(COLLECT, at(10)))
    thread.start()
    assert begun.wait(60)
    lead()
    release.set()
    thread.join(60)

    assert allowed == [True, False]
    assert state().last_success, "a run that goes on while the lock is lost goes on to its end"


def test_outcome_kind_follows_from_the_error():
    kinds = {
        None: "ok",
        "ValueError: x": "failed",
        "deadline exceeded: x": "failed",
        "skipped: x": "skipped",
        "refused: x": "skipped",
        "aborted: x": "aborted",
    }

    assert {error: RunResult(COLLECT, None, 0, error=error).outcome for error in kinds} == kinds


def test_claim_and_result_are_one_statement_each(django_assert_num_queries):
    job, epoch = job_of(nothing), lead()
    with django_assert_num_queries(1):
        assert isinstance(claim(job, at(10), epoch), Claim)
    with django_assert_num_queries(1):
        JobState.objects.record(RunResult(COLLECT, at(10), 1.0, epoch=epoch))
