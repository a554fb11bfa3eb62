"""Many requests for one job while two schedulers run (docs/scheduler.md R7, R18)."""

import threading

import psycopg
import pytest

from tests.jobs import scaled
from tests.jobs.processes import wait_for

STORM_S = 6


def request_until(over, db_server):
    requested = 0
    with psycopg.connect(db_server.url, autocommit=True) as connection:
        while not over.wait(0.005):
            requested += connection.execute(
                "UPDATE job_state SET run_requested_at = clock_timestamp(), run_requested_by = 'ann'"
                " WHERE job_name = 'quick' AND run_requested_at IS NULL"
            ).rowcount
    db_server.requested.append(requested)


@pytest.mark.slow
def test_storm_of_requests_runs_no_tick_twice_and_counts_each_skip(db_server, run_scheduler):
    """A request is claimed as an instant of its own, between the timetable's."""
    leader, standby = run_scheduler("QUICK"), run_scheduler("QUICK")
    for scheduler in (leader, standby):
        scheduler.until("scheduler.")
    wait_for(db_server, "SELECT 1 FROM scaled_run WHERE job = 'quick'")
    db_server.requested, over = [], threading.Event()
    operators = [threading.Thread(target=request_until, args=(over, db_server)) for _ in range(4)]
    ((began,),) = db_server.query("SELECT clock_timestamp()")
    for operator in operators:
        operator.start()
    over.wait(STORM_S)
    ((ended,),) = db_server.query("SELECT clock_timestamp()")
    over.set()
    for operator in operators:
        operator.join()

    every = scaled.QUICK[0].every
    # The newest tick may still be running: the due ticks are counted once the next one has run.
    wait_for(
        db_server,
        "SELECT 1 FROM scaled_run WHERE tick > %s AND mod(extract(epoch FROM tick), 0.5) = 0",
        ended,
    )
    ticks = db_server.ticks("quick")
    due = {tick for tick in ticks if tick.timestamp() % every.total_seconds() == 0 and began < tick < ended}
    assert len(set(ticks)) == len(ticks)
    assert sum(db_server.requested) >= STORM_S / 2
    assert len([tick for tick in ticks if tick not in due]) >= sum(db_server.requested) / 2

    missing = int((ended - began) / every) - len(due)
    assert missing <= 2
    # A tick during a requested run is skipped and counted, as during any run.
    skipped = "SELECT 1 FROM job_hour WHERE job_name = 'quick' HAVING coalesce(sum(skipped), 0) >= %s"
    wait_for(db_server, skipped, missing)
