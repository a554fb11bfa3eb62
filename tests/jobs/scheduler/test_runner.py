import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import job_of, lead, raises, runner_of, state
from tradingsite.clients.errors import Unreachable
from tradingsite.jobs import fence
from tradingsite.jobs.models import JobRun
from tradingsite.jobs.scheduler.claim import Claim, claim

pytestmark = COMMITTED


@pytest.fixture
def make_runner():
    """Return a runner of one job, known by a registered name, that does `body`."""

    def make(body, *, may_start=lambda: True, **facts):
        return runner_of(job_of(body, **facts), may_start=may_start)

    return make


def in_a_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def test_run_logs_a_metric_and_records_the_state(make_runner, metrics):
    make_runner(lambda _tick: {"stored": 3}).run_tick("collect_market_data", at(10))

    (metric,) = metrics()
    assert (metric["job_name"], metric["success"], metric["error"]) == ("collect_market_data", True, None)
    now = state()
    assert (now.last_tick, now.running_since, now.runs) == (at(10), None, 1)
    assert (now.last_success, now.last_error, now.consecutive_failures) == (True, "", 0)
    assert now.last_success_at == now.last_finished_at > now.last_started_at
    assert now.last_duration_ms == metric["duration_ms"]
    assert now.last_counts == {"stored": 3}


def test_state_shows_a_current_run(make_runner):
    seen = []

    def body(_tick):
        seen.append(state())
        return {}

    make_runner(body).run_tick("collect_market_data", at(10))

    assert seen[0].last_tick == at(10)
    assert seen[0].running_since is not None
    assert state().running_since is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Unreachable("no answer"), "Unreachable: no answer"),
        (ZeroDivisionError("a\nb\0c"), "ZeroDivisionError: a b c"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("비밀" + "x" * 3000), "ValueError: 비밀" + "x" * 486),
    ],
)
def test_failing_run_logs_one_metric_and_records_its_error(make_runner, metrics, error, text):
    runner = make_runner(raises(error), deadline_s=0.9)  # no time for a second attempt
    runner.run_tick("collect_market_data", at(10))
    runner.run_tick("collect_market_data", at(20))

    assert [(metric["success"], metric["error"]) for metric in metrics()] == [(False, text)] * 2
    assert (state().last_error, state().consecutive_failures, state().runs) == (text, 2, 2)
    assert state().last_success_at is None


def test_success_resets_the_failures_and_keeps_its_time(make_runner):
    make_runner(raises(OSError())).run_tick("collect_market_data", at(10))
    make_runner(lambda _tick: {}).run_tick("collect_market_data", at(20))
    succeeded = state().last_success_at
    make_runner(raises(OSError())).run_tick("collect_market_data", at(30))

    assert (state().consecutive_failures, state().last_success, state().last_success_at) == (
        1,
        False,
        succeeded,
    )


def test_failures_and_runs_of_rare_jobs_are_kept(make_runner):
    make_runner(lambda _tick: {}).run_tick("collect_market_data", at(10))
    make_runner(raises(OSError("gone"))).run_tick("collect_market_data", at(20))
    make_runner(lambda _tick: {}, name="cleanup_old_data", every=timedelta(days=1)).run_tick(
        "cleanup_old_data", at(0)
    )

    kept = JobRun.objects.order_by("-run_time").values_list("job_id", "run_time", "status", "exception")
    assert list(kept) == [
        ("collect_market_data", at(20), "Error!", "OSError: gone"),
        ("cleanup_old_data", at(0), "Executed", None),
    ]


def test_run_without_a_job_row_is_recorded(make_runner):
    runner = make_runner(raises(OSError("gone")))
    DjangoJob.objects.all().delete()

    runner.run_tick("collect_market_data", at(10))

    assert state().last_error == "OSError: gone"
    assert not JobRun.objects.exists()


def test_runner_that_does_not_lead_skips_the_run(make_runner, metrics):
    make_runner(raises(AssertionError()), may_start=lambda: False).run_tick("collect_market_data", at(10))

    (metric,) = metrics()
    assert (metric["success"], metric["duration_ms"]) == (False, 0)
    assert metric["error"] == "skipped: another scheduler may lead"
    assert state().last_tick is None


def test_loss_of_leadership_during_a_run_forbids_orders(make_runner):
    leading, allowed = threading.Event(), []
    leading.set()

    def body(_tick):
        allowed.append(fence.may_post())
        leading.clear()
        allowed.append(fence.may_post())
        return {}

    make_runner(body, may_start=leading.is_set).run_tick("collect_market_data", at(10))

    assert allowed == [True, False]
    assert fence.may_post(), "a run by hand is not fenced"


def test_closed_runner_starts_nothing_and_waits_for_its_runs(make_runner, metrics):
    begun, release = threading.Event(), threading.Event()

    def body(_tick):
        begun.set()
        assert release.wait(60)
        return {}

    runner = make_runner(body)
    thread = in_a_thread(runner.run_tick, "collect_market_data", at(10))
    assert begun.wait(60)
    runner.close()

    runner.run_tick("collect_market_data", at(20))
    assert runner.running == {"collect_market_data"}
    assert not runner.wait_until_idle(0.01)
    release.set()
    assert runner.wait_until_idle(60)
    thread.join(60)

    assert [metric["error"] for metric in metrics()] == ["skipped: the scheduler is stopping", None]


@pytest.fixture
def refuse_records():
    """A database that takes the beginning of a run and not its end."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_state ADD CONSTRAINT refusing CHECK (runs = 0) NOT VALID")

    def accept():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE job_state DROP CONSTRAINT IF EXISTS refusing")

    yield accept
    accept()


def test_unrecorded_results_are_recorded_later_with_one_metric_each(make_runner, metrics, refuse_records):
    runner = make_runner(raises(OSError("gone")))
    runner.run_tick("collect_market_data", at(10))
    runner.run_tick("collect_market_data", at(20))
    assert (state().running_since is not None, state().runs) == (True, 0)

    refuse_records()
    runner.flush()

    assert (state().running_since, state().runs, state().consecutive_failures) == (None, 2, 2)
    assert len(metrics()) == 2


def test_late_record_does_not_hide_a_newer_run(make_runner, refuse_records):
    job = job_of(lambda _tick: {})
    epoch = lead()
    runner = runner_of(job, epoch=epoch)
    runner.run_tick("collect_market_data", at(10))
    assert isinstance(claim(job, at(20), epoch), Claim)

    refuse_records()
    runner.flush()

    assert (state().runs, state().running_since is not None) == (1, True)


def test_tick_that_cannot_be_claimed_is_refused_with_the_reason(make_runner, metrics):
    ran = threading.Event()

    def body(_tick):
        ran.set()
        return {}

    runner = make_runner(body)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_state RENAME TO away")
    try:
        runner.run_tick("collect_market_data", at(10))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO job_state")

    (metric,) = metrics()
    assert metric["error"].startswith("refused: not claimed, ProgrammingError: relation")
    assert (metric["success"], metric["duration_ms"]) == (False, 0)
    assert not ran.is_set()


def test_lost_answer_to_a_claim_runs_nothing(make_runner):
    ran = []

    def body(tick):
        ran.append(tick)
        return {}

    runner = make_runner(body)

    def lose_the_answer(execute, sql, *rest):
        execute(sql, *rest)
        if "last_tick = %(tick)s" in sql:
            raise OperationalError("the connection is lost")

    with connection.execute_wrapper(lose_the_answer):
        runner.run_tick("collect_market_data", at(10))
    assert (state().last_tick, state().running_since is None, ran) == (at(10), False, [])
    runner.flush()

    assert (state().running_since, state().runs) == (None, 0)
    runner.run_tick("collect_market_data", at(20))
    assert ran == [at(20)]


def test_bug_in_the_runner_ends_the_run_and_not_the_thread(make_runner, caplog):
    runner = make_runner(lambda _tick: {}, name="not_registered")

    runner.run_tick("not_registered", at(10))

    assert runner.running == frozenset()
    assert "runner.failed" in caplog.text
