"""Many people ask for the same job while two schedulers serve it."""

import threading

import psycopg
import pytest

from tests.jobs import scaled
from tests.jobs.processes import wait_for

STORM_S = 6


def ask_again_and_again(house, over):
    asked = 0
    with psycopg.connect(house.url, autocommit=True) as connection:
        while not over.wait(0.005):
            asked += connection.execute(
                "UPDATE job_state SET run_requested_at = clock_timestamp(), run_requested_by = 'ann'"
                " WHERE job_name = 'quick' AND run_requested_at IS NULL"
            ).rowcount
    house.asked.append(asked)


@pytest.mark.slow
def test_a_storm_of_requests_runs_no_tick_twice_and_skips_only_with_a_record(house, run_scheduler):
    """R18, R7: a request is claimed as a moment of its own, between the timetable's."""
    leader, standby = run_scheduler("QUICK"), run_scheduler("QUICK")
    for scheduler in (leader, standby):
        scheduler.until("scheduler.")
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'quick'")
    house.asked, over = [], threading.Event()
    people = [threading.Thread(target=ask_again_and_again, args=(house, over)) for _ in range(4)]
    ((began,),) = house.ask("SELECT clock_timestamp()")
    for person in people:
        person.start()
    over.wait(STORM_S)
    ((ended,),) = house.ask("SELECT clock_timestamp()")
    over.set()
    for person in people:
        person.join()

    every = scaled.QUICK[0].every
    # The newest tick may be under way: what was due is counted once the next one of the timetable has run.
    wait_for(
        house, "SELECT 1 FROM scaled_run WHERE tick > %s AND mod(extract(epoch FROM tick), 0.5) = 0", ended
    )
    ticks = house.ticks("quick")
    due = {tick for tick in ticks if tick.timestamp() % every.total_seconds() == 0 and began < tick < ended}
    assert len(set(ticks)) == len(ticks)
    assert sum(house.asked) >= STORM_S / 2
    assert len([tick for tick in ticks if tick not in due]) >= sum(house.asked) / 2

    missing = int((ended - began) / every) - len(due)
    assert missing <= 2
    # A tick that comes while a requested run goes on is skipped, as at any run, and counted as such.
    skipped = "SELECT 1 FROM job_hour WHERE job_name = 'quick' HAVING coalesce(sum(skipped), 0) >= %s"
    wait_for(house, skipped, missing)
