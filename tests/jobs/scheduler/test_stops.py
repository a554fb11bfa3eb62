"""How schedulers end on a signal, whatever they are doing (docs/scheduler.md F13, F16, F17, F27)."""

import ast
import inspect
import textwrap
from itertools import pairwise

import psycopg
import pytest

from tests.jobs import scaled
from tests.jobs.processes import GRACE_S, wait_for
from tradingsite.jobs.shutdown import StopOnSignal

NO_SESSION_IN_A_TRANSACTION = (
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE state ^@ 'idle in')"
)


def test_signal_handler_calls_nothing_but_the_alarm():
    """Another call might wait for a lock that the interrupted thread holds."""
    handler = ast.parse(textwrap.dedent(inspect.getsource(StopOnSignal._note)))
    called = [ast.unparse(node.func) for node in ast.walk(handler) if isinstance(node, ast.Call)]

    assert called == ["signal.alarm"]


@pytest.mark.parametrize("timetable", ["QUICK", "UNLUCKY"])
def test_scheduler_without_a_run_ends_before_its_grace_is_over(db_server, run_scheduler, timetable):
    """Idle, and during the wait before a retry."""
    scheduler = run_scheduler(timetable)
    scheduler.until("job.again" if timetable == "UNLUCKY" else '"job_name":"quick"')

    code, took_s = scheduler.end()

    assert (code, took_s < GRACE_S) == (0, True)
    wait_for(db_server, NO_SESSION_IN_A_TRANSACTION)
    assert db_server.query("SELECT count(*) FROM scheduler_process") == [(0,)]
    assert db_server.query("SELECT count(*) FROM job_state WHERE running_since IS NOT NULL") == [(0,)]


def test_scheduler_lets_a_run_end_and_does_not_wait_for_a_row_lock(db_server, run_scheduler, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.SLOW"
    patient = f"{db_server.url}&options=-c%20lock_timeout%3D60s%20-c%20statement_timeout%3D60s"
    scheduler = run_scheduler("SLOW", slow_s=0.7, DATABASE_URL=patient)
    wait_for(db_server, "SELECT 1 FROM scaled_run WHERE job = 'slow'")
    with psycopg.connect(db_server.url) as other:
        other.execute("SELECT * FROM django_apscheduler_djangojob FOR UPDATE")
        wait_for(db_server, "SELECT 1 FROM pg_locks WHERE NOT granted")
        code, took_s = scheduler.end()

    assert (code, took_s < GRACE_S) == (0, True)
    runs = scheduler.runs_of("slow")
    assert {metric.success for metric in runs} == {True}
    assert db_server.query("SELECT running_since, runs FROM job_state WHERE job_name = 'slow'") == [
        (None, len(runs))
    ]
    wait_for(db_server, NO_SESSION_IN_A_TRANSACTION)


def test_scheduler_with_a_hung_run_ends_after_the_grace_and_logs_it(db_server, run_scheduler):
    scheduler = run_scheduler("SLOW", slow_s=600, SCHEDULER_GRACE_S="1")
    wait_for(db_server, "SELECT 1 FROM scaled_run WHERE job = 'slow'")

    code, took_s = scheduler.end()

    assert (code, took_s >= 1) == (1, True)
    assert any('"still_running": ["slow"]' in line for line in scheduler.lines)
    wait_for(db_server, NO_SESSION_IN_A_TRANSACTION)


@pytest.mark.slow
def test_fifteen_signals_in_a_row_get_no_scheduler_stuck(db_server, run_scheduler):
    """With a run every 50 ms nearly each signal interrupts something."""
    for _ in range(15):
        scheduler = run_scheduler("TWENTIETH")
        scheduler.until('"success":true')
        code, took_s = scheduler.end()
        assert (code, took_s < GRACE_S) == (0, True)
    wait_for(db_server, NO_SESSION_IN_A_TRANSACTION)
    ticks = db_server.ticks("quick")
    assert len(set(ticks)) == len(ticks)


@pytest.mark.slow
def test_restarts_every_three_and_a_half_seconds_lose_no_tick_of_a_five_second_job(db_server, run_scheduler):
    second = run_scheduler("FIVE_S")
    second.until("scheduler.leading")
    for _ in range(6):
        first, second = second, run_scheduler("FIVE_S")
        second.until("scheduler.waiting")
        deadline = db_server.query("SELECT clock_timestamp() + interval '3.5 s'")[0][0]
        wait_for(db_server, "SELECT 1 WHERE clock_timestamp() > %s", deadline)
        assert first.end()[0] == 0
        second.until("scheduler.leading")

    assert len(db_server.ticks("quick")) >= 4
    assert {later - earlier for earlier, later in pairwise(db_server.ticks("quick"))} == {
        scaled.FIVE_S[0].every
    }
