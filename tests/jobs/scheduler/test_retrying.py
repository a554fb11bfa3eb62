"""Trying again within a run (docs/scheduler.md R14; F3)."""

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection

from tests.clients.peer import FakeClock
from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import COLLECT, job_of, runner_of, state
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import InvalidResponse, RateLimited, Rejected, TimedOut, Unavailable
from tradingsite.jobs.scheduler import run_job
from tradingsite.jobs.shutdown import winding_down


class Body:
    """Fails so often with `error`, then succeeds."""

    def __init__(self, error, times):
        self.error, self.left, self.calls = error, times, 0

    def __call__(self, *_tick):
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return {"done": 1}


@pytest.fixture
def ticking():
    return FakeClock()


@pytest.fixture
def waited():
    return []


@pytest.fixture
def attempts(ticking, waited):
    def make(within_s=60.0, *, stop_at=99):
        def pause(delay_s):
            waited.append(delay_s)
            ticking.clock.sleep(delay_s)
            return len(waited) >= stop_at

        return run_job.attempts(Deadline(within_s, ticking.clock), pause)

    return make


@pytest.mark.parametrize(
    "error",
    [TimedOut("x"), Unavailable("x", status=503), OperationalError(), InterfaceError(),
     RateLimited("x", retry_after_s=0.5)],
)  # fmt: skip
def test_transient_error_is_tried_again_after_1_2_and_4_seconds(attempts, waited, error):
    trying, body = attempts(), Body(error, 3)

    assert trying(body) == {"done": 1}
    assert (waited, body.calls) == ([1, 2, 4], 4)


def test_fourth_attempt_is_the_last(attempts, waited):
    trying, body = attempts(), Body(TimedOut("x"), 9)

    with pytest.raises(TimedOut):
        trying(body)
    assert (body.calls, waited) == (4, [1, 2, 4])


@pytest.mark.parametrize(
    "error",
    [ValueError(), DataError(), InvalidResponse("x"), Rejected("x", name=None, message="x", status=400),
     RateLimited("x", retry_after_s=1, banned=True)],
)  # fmt: skip
def test_permanent_error_is_not_tried_again(attempts, waited, error):
    trying, body = attempts(), Body(error, 1)

    with pytest.raises(type(error)):
        trying(body)
    assert (body.calls, waited) == (1, [])


def test_delay_beyond_the_deadline_is_not_started(attempts, waited):
    trying, body = attempts(within_s=6.5), Body(TimedOut("x"), 9)

    with pytest.raises(TimedOut):
        trying(body)
    assert waited == [1, 2]


def test_stop_ends_the_wait_and_the_run(attempts, waited):
    trying, body = attempts(stop_at=2), Body(TimedOut("x"), 9)

    with pytest.raises(TimedOut):
        trying(body)
    assert (waited, body.calls) == ([1, 2], 2)


def test_retry_after_is_the_delay(attempts, waited):
    attempts()(Body(RateLimited("x", retry_after_s=3), 2))

    assert waited == [3, 3]


@COMMITTED
def test_stop_ends_a_real_wait_and_the_run_logs_one_line(metrics):
    body = Body(TimedOut("no answer"), 9)
    winding_down.set()

    runner_of(job_of(body)).run_tick(COLLECT, at(10))

    assert [line["error"] for line in metrics()] == ["TimedOut: no answer"]
    assert (body.calls, state().last_attempts) == (1, 1)


@COMMITTED
def test_ended_session_costs_one_attempt_and_no_second_line(metrics):
    sessions = []

    def body(_tick):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            sessions.append(cursor.fetchone())
            if len(sessions) == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return {"done": 1}

    runner_of(job_of(body)).run_tick(COLLECT, at(10))

    assert [line["success"] for line in metrics()] == [True]
    assert metrics()[0]["duration_ms"] >= 1000
    assert (state().last_attempts, len(set(sessions)), state().runs) == (2, 2, 1)
