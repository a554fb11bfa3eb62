"""Schedulers while their database is down, frozen, full or locked.

docs/scheduler.md F18, F19, F22, F25, F32, F34.
"""

import contextlib
import json
from datetime import datetime, timedelta

import psycopg
import pytest

from tests.jobs.processes import wait_for
from tradingsite.jobs.scheduler.watchdog import FROZEN


def assert_no_tick_ran_twice(db_server):
    ticks = db_server.ticks("quick")
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


SOON = timedelta(seconds=30)
"""From the return of the database to the next run."""


def stay_down(db_server, seconds):
    began = datetime.now().astimezone()
    while datetime.now().astimezone() - began < timedelta(seconds=seconds):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(db_server.url)
            raise AssertionError("the database answers")


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("fast", 0),
        pytest.param("immediate", 0, marks=pytest.mark.slow),
        pytest.param("fast", 10, marks=pytest.mark.slow),
        pytest.param("immediate", 10, marks=pytest.mark.slow),
    ],
)
def test_scheduler_waits_for_a_database_that_is_down_at_the_start_and_later(
    db_server, run_scheduler, how, seconds
):
    db_server.stop(how)
    scheduler = run_scheduler("SLOW", slow_s=1, limits="BRISK" if not seconds else "DEFAULT")
    scheduler.until("scheduler.cannot_lead")
    db_server.start()
    scheduler.until('"job_name":"slow"')
    wait_for(db_server, "SELECT 1 FROM job_state WHERE job_name = 'slow' AND running_since IS NOT NULL")

    db_server.stop(how)
    scheduler.until("scheduler.resigned")
    stay_down(db_server, seconds)
    db_server.start()
    ((back_at,),) = db_server.query("SELECT clock_timestamp()")

    assert first_run_after(scheduler, back_at) - back_at < SOON
    assert_no_tick_ran_twice(db_server)
    wait_for(
        db_server,
        "SELECT 1 FROM job_state WHERE job_name = 'slow' AND last_success AND last_finished_at > %s",
        back_at,
    )
    code, _ = scheduler.end()
    assert code == 0
    assert db_server.query("SELECT count(*) FROM job_state WHERE running_since IS NOT NULL") == [(0,)]


def test_frozen_database_ends_leader_and_standby_and_the_next_one_runs(db_server, run_scheduler):
    """The service manager starts them again; a standby that hangs could not take over."""
    leader = run_scheduler("QUICK", limits="SOON_FROZEN")
    leader.until('"job_name":"quick"')
    standby = run_scheduler("QUICK", limits="SOON_FROZEN")
    standby.until("scheduler.waiting")
    thaw = db_server.freeze()
    try:
        codes = [scheduler.wait() for scheduler in (leader, standby)]
    finally:
        thaw()

    assert codes == [FROZEN, FROZEN]
    run_scheduler("QUICK").until('"job_name":"quick"')
    assert_no_tick_ran_twice(db_server)


@pytest.mark.slow
def test_scheduler_without_a_free_connection_resigns_and_comes_back(db_server, run_scheduler):
    scheduler = run_scheduler("QUICK", limits="DEFAULT")  # the pool alone waits for three seconds
    scheduler.until('"job_name":"quick"')
    with contextlib.ExitStack() as taken:
        first = taken.enter_context(psycopg.connect(db_server.url, autocommit=True, dbname="template1"))

        def take_what_is_free():
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(db_server.url, dbname="template1"))

        first.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")  # or its pool would take them first
        first.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tradingsite'"
        )
        take_what_is_free()
        first.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")
        scheduler.until("scheduler.resigned")
        take_what_is_free()
        assert scheduler.process.poll() is None
        freed_at = clock_of(first)

    ran = [tick for tick in db_server.ticks("quick") if tick > freed_at - timedelta(seconds=1)]
    assert ran == [] or min(ran) > freed_at
    assert first_run_after(scheduler, freed_at) - freed_at < SOON
    assert_no_tick_ran_twice(db_server)


@pytest.mark.parametrize("event", ["waits", pytest.param("gives_up", marks=pytest.mark.slow)])
def test_scheduler_waits_for_a_migration_that_locks_every_table(db_server, run_scheduler, event):
    """Up to the lock limit of five seconds it waits; beyond that it resigns and comes back."""
    scheduler = run_scheduler("QUICK", limits="DEFAULT")
    scheduler.until('"job_name":"quick"')
    with psycopg.connect(db_server.url) as migration:
        migration.execute(
            "LOCK TABLE job_state, scheduler_heartbeat, scheduler_process, django_apscheduler_djangojob"
            " IN ACCESS EXCLUSIVE MODE"
        )
        wait_for(db_server, "SELECT 1 FROM pg_locks WHERE NOT granted HAVING count(*) >= 2")
        if event == "gives_up":
            scheduler.until("scheduler.resigned")
        released_at = clock_of(migration)

    assert first_run_after(scheduler, released_at) - released_at < SOON
    assert_no_tick_ran_twice(db_server)
    assert scheduler.end()[0] == 0
