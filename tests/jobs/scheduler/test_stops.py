"""How schedulers end when they are told to, whatever they are doing."""

import ast
import inspect
import textwrap
from itertools import pairwise

import psycopg
import pytest

from tests.jobs import scaled
from tests.jobs.processes import GRACE_S, LOCK_TIMEOUT_S, wait_for
from tradingsite.jobs.shutdown import StopOnSignal

NOBODY_LEFT = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE state ^@ 'idle in')"


def test_the_signal_s_handler_notes_and_sets_the_alarm_and_does_nothing_else():
    """F13: whatever it called might wait for what the interrupted thread holds."""
    handler = ast.parse(textwrap.dedent(inspect.getsource(StopOnSignal._note)))
    called = [ast.unparse(node.func) for node in ast.walk(handler) if isinstance(node, ast.Call)]

    assert called == ["signal.alarm"]


@pytest.mark.parametrize("timetable", ["QUICK", "UNLUCKY"])
def test_told_to_end_while_idle_or_between_two_attempts_it_ends_at_once(house, run_scheduler, timetable):
    """F16: idle, and during a retry's wait."""
    scheduler = run_scheduler(timetable)
    scheduler.until("job.again" if timetable == "UNLUCKY" else '"job_name":"quick"')

    code, took_s = scheduler.end()

    assert (code, took_s < GRACE_S) == (0, True)
    wait_for(house, NOBODY_LEFT)
    assert house.ask("SELECT count(*) FROM scheduler_process") == [(0,)]
    assert house.ask("SELECT count(*) FROM job_state WHERE running_since IS NOT NULL") == [(0,)]


def test_told_to_end_in_the_middle_of_a_run_and_while_its_loop_waits_for_a_row_it_lets_the_run_end(
    house, run_scheduler, settings
):
    """F16: mid-job and mid-update_job."""
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.SLOW"
    scheduler = run_scheduler("SLOW", slow_s=0.7)
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'slow'")
    with psycopg.connect(house.url) as other:
        other.execute("SELECT * FROM django_apscheduler_djangojob FOR UPDATE")
        wait_for(house, "SELECT 1 FROM pg_locks WHERE NOT granted")
        code, took_s = scheduler.end()

    assert (code, took_s < LOCK_TIMEOUT_S) == (0, True)
    runs = scheduler.runs_of("slow")
    assert {metric.success for metric in runs} == {True}
    assert house.ask("SELECT running_since, runs FROM job_state WHERE job_name = 'slow'") == [
        (None, len(runs))
    ]
    wait_for(house, NOBODY_LEFT)


def test_told_to_end_with_a_run_that_hangs_it_ends_after_the_grace_and_says_so(house, run_scheduler):
    """F16: with a hung job."""
    scheduler = run_scheduler("SLOW", slow_s=60)
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'slow'")

    code, took_s = scheduler.end()

    assert (code, GRACE_S <= took_s < GRACE_S + 2) == (1, True)
    assert any('"still_running": ["slow"]' in line for line in scheduler.lines)
    wait_for(house, NOBODY_LEFT)


@pytest.mark.slow
def test_fifteen_signals_in_a_row_get_no_scheduler_stuck(house, run_scheduler):
    """F17: with a run every 50 ms the signal comes in the middle of something nearly each time."""
    for _ in range(15):
        scheduler = run_scheduler("TWENTIETH")
        scheduler.until('"success":true')
        code, took_s = scheduler.end()
        assert (code, took_s < GRACE_S + 1) == (0, True)
    wait_for(house, NOBODY_LEFT)
    ticks = house.ticks("quick")
    assert len(set(ticks)) == len(ticks)


@pytest.mark.slow
def test_restarts_every_three_and_a_half_seconds_lose_no_tick_of_a_job_that_runs_every_five(
    house, run_scheduler
):
    """F27."""
    second = run_scheduler("FIVE_S")
    second.until("scheduler.leading")
    for _ in range(6):
        first, second = second, run_scheduler("FIVE_S")
        second.until("scheduler.waiting")
        deadline = house.ask("SELECT clock_timestamp() + interval '3.5 s'")[0][0]
        wait_for(house, "SELECT 1 WHERE clock_timestamp() > %s", deadline)
        assert first.end()[0] == 0
        second.until("scheduler.leading")

    assert len(house.ticks("quick")) >= 4
    assert {later - earlier for earlier, later in pairwise(house.ticks("quick"))} == {scaled.FIVE_S[0].every}
