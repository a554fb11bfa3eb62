"""Schedulers while their database is away, frozen, full or locked."""

import contextlib
import json
from datetime import datetime, timedelta

import psycopg
import pytest

from tests.jobs.processes import wait_for
from tradingsite.jobs.scheduler.watchdog import FROZEN


def assert_no_tick_ran_twice(house):
    ticks = house.ticks("quick")
    assert len(set(ticks)) == len(ticks)


def clock_of(connection):
    ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    return now


def first_run_after(scheduler, moment):
    """Return when the first successful run after `moment` ended."""
    while True:
        line = json.loads(scheduler.until('"success":true'))
        if (ended := datetime.fromisoformat(line["timestamp"])) > moment:
            return ended


def away_for(house, seconds):
    began = datetime.now().astimezone()
    while datetime.now().astimezone() - began < timedelta(seconds=seconds):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(house.url)
            raise AssertionError("it is not away")


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("fast", 0),
        pytest.param("immediate", 0, marks=pytest.mark.slow),
        pytest.param("fast", 10, marks=pytest.mark.slow),
        pytest.param("immediate", 10, marks=pytest.mark.slow),
    ],
)
def test_a_database_that_is_away_at_the_start_and_again_later_is_waited_for(
    house, run_scheduler, how, seconds
):
    """F19, F18, F25: within five seconds of its return runs begin, and none stays "running" for ever."""
    house.stop(how)
    scheduler = run_scheduler("SLOW", slow_s=1, limits="BRISK" if not seconds else "DEFAULT")
    scheduler.until("scheduler.cannot_lead")
    house.start()
    scheduler.until('"job_name":"slow"')
    wait_for(house, "SELECT 1 FROM job_state WHERE job_name = 'slow' AND running_since IS NOT NULL")

    house.stop(how)
    scheduler.until("scheduler.resigned")
    away_for(house, seconds)
    house.start()
    ((back_at,),) = house.ask("SELECT clock_timestamp()")

    assert first_run_after(scheduler, back_at) - back_at < timedelta(seconds=5)
    assert_no_tick_ran_twice(house)
    wait_for(
        house,
        "SELECT 1 FROM job_state WHERE job_name = 'slow' AND last_success AND last_finished_at > %s",
        back_at,
    )
    code, _ = scheduler.end()
    assert code == 0
    assert house.ask("SELECT count(*) FROM job_state WHERE running_since IS NOT NULL") == [(0,)]


def test_a_frozen_database_ends_every_scheduler_that_waits_for_it_and_the_next_ones_go_on(
    house, run_scheduler
):
    """F22: whoever starts processes starts them again; a standby that hangs would be none."""
    leader = run_scheduler("QUICK")
    leader.until('"job_name":"quick"')
    standby = run_scheduler("QUICK")
    standby.until("scheduler.waiting")
    thaw = house.freeze()
    try:
        ends = [scheduler.wait() for scheduler in (leader, standby)]
    finally:
        thaw()

    assert [code for code, _ in ends] == [FROZEN, FROZEN]
    assert max(took_s for _, took_s in ends) < 8
    run_scheduler("QUICK").until('"job_name":"quick"')
    assert_no_tick_ran_twice(house)


@pytest.mark.slow
def test_without_a_free_connection_nothing_runs_and_the_scheduler_lives_on(house, run_scheduler):
    """F32: too many clients. Nothing can be claimed; it resigns, since it can't beat."""
    scheduler = run_scheduler("QUICK", limits="DEFAULT")  # the pool alone waits for three seconds
    scheduler.until('"job_name":"quick"')
    with contextlib.ExitStack() as taken:
        first = taken.enter_context(psycopg.connect(house.url, autocommit=True, dbname="template1"))

        def take_what_is_free():
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(house.url, dbname="template1"))

        first.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")  # or its pool is quicker than we are
        first.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tradingsite'"
        )
        take_what_is_free()
        first.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")
        scheduler.until("scheduler.resigned")
        take_what_is_free()
        assert scheduler.process.poll() is None
        freed_at = clock_of(first)

    ran = [tick for tick in house.ticks("quick") if tick > freed_at - timedelta(seconds=1)]
    assert ran == [] or min(ran) > freed_at
    assert first_run_after(scheduler, freed_at) - freed_at < timedelta(seconds=15)
    assert_no_tick_ran_twice(house)


@pytest.mark.parametrize("event", ["waits", pytest.param("gives_up", marks=pytest.mark.slow)])
def test_a_migration_that_locks_every_table_is_waited_for_and_nothing_runs_twice(house, run_scheduler, event):
    """F34: up to the limit of five seconds it only waits, beyond that it resigns and comes back."""
    scheduler = run_scheduler("QUICK", limits="DEFAULT")
    scheduler.until('"job_name":"quick"')
    with psycopg.connect(house.url) as migration:
        migration.execute(
            "LOCK TABLE job_state, scheduler_heartbeat, scheduler_process, django_apscheduler_djangojob"
            " IN ACCESS EXCLUSIVE MODE"
        )
        wait_for(house, "SELECT 1 FROM pg_locks WHERE NOT granted HAVING count(*) >= 2")
        if event == "gives_up":
            scheduler.until("scheduler.resigned")
        released_at = clock_of(migration)

    assert first_run_after(scheduler, released_at) - released_at < timedelta(seconds=8)
    assert_no_tick_ran_twice(house)
    assert scheduler.end()[0] == 0
