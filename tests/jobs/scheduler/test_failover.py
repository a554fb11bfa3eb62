"""Who leads when processes are killed, frozen, broken or of different versions."""

import json
import signal
import time
from datetime import datetime, timedelta
from itertools import pairwise

import psutil
import pytest

from tests.jobs import scaled
from tests.jobs.processes import wait_for
from tradingsite.jobs.scheduler.watchdog import FROZEN

QUICK = scaled.QUICK[0]


def when(line):
    return datetime.fromisoformat(json.loads(line)["timestamp"])


def assert_no_tick_ran_twice(house, job="quick"):
    ticks = house.ticks(job)
    assert len(set(ticks)) == len(ticks)


def gaps(house, job=QUICK):
    """Return how many ticks in a row are missing, wherever some are."""
    found = ((later - earlier) // job.every - 1 for earlier, later in pairwise(sorted(house.ticks(job.name))))
    return [gap for gap in found if gap]


def pair(run_scheduler, *timetables, **facts):
    """Start two schedulers; the first leads."""
    first = run_scheduler(timetables[0], **facts)
    first.until("scheduler.leading")
    second = run_scheduler(timetables[-1], **facts)
    second.until("scheduler.waiting")
    return first, second


def test_of_two_one_works_and_a_killed_leader_is_followed_at_once(house, run_scheduler):
    """F14, F15, F26: nothing runs twice, nothing is left out while one lives, what was killed is told."""
    first, second = pair(run_scheduler, "SLOW", slow_s=60)
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'slow'")
    for _ in range(4):
        first.until('"job_name":"quick"')
    assert gaps(house) == []
    assert {pid for _, pid in house.runs("quick")} == {first.process.pid}
    roles = "SELECT role, pid FROM scheduler_process ORDER BY role"
    assert house.ask(roles) == [("leader", first.process.pid), ("standby", second.process.pid)]

    first.end(signal.SIGKILL)
    killed_at = house.ask("SELECT clock_timestamp()")[0][0]
    second.until("aborted: ")
    second.until('"job_name":"quick"')

    assert when(next(line for line in second.lines if "scheduler.leading" in line)) - killed_at < timedelta(
        seconds=3
    )
    assert_no_tick_ran_twice(house)
    assert sum(gaps(house)) <= 6, "from the kill to the take-over"
    wait_for(house, "SELECT 1 WHERE (SELECT count(*) FROM scheduler_process) = 1")
    assert house.ask(roles) == [("leader", second.process.pid)]
    assert house.ask("SELECT epoch, pid FROM scheduler_heartbeat") == [(2, second.process.pid)]


def test_a_lock_session_that_is_ended_costs_a_take_over_and_no_run_twice(house, run_scheduler):
    """F20."""
    first, second = pair(run_scheduler, "QUICK")
    for _ in range(2):
        ((epoch, _),) = house.ask(
            "SELECT epoch, pg_terminate_backend(lock_pid, 1000) FROM scheduler_heartbeat"
        )
        # Whoever asks first gets the lock: on a busy machine it may be the one that has just lost it.
        wait_for(house, "SELECT 1 FROM scheduler_heartbeat WHERE epoch > %s", epoch)
        wait_for(house, "SELECT 1 FROM job_state WHERE job_name = 'quick' AND claim_epoch > %s", epoch)

    assert_no_tick_ran_twice(house)
    assert [scheduler.process.poll() for scheduler in (first, second)] == [None, None]


def test_a_job_whose_session_is_ended_in_the_middle_is_tried_again(house, run_scheduler):
    """F20."""
    run_scheduler("INTERRUPTED")
    running = "FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30) AS interrupted'"
    wait_for(house, f"SELECT 1 {running}")
    house.ask(f"SELECT pg_terminate_backend(pid) {running}")

    state = "SELECT last_attempts FROM job_state WHERE job_name = 'interrupted' AND last_success"
    wait_for(house, state)
    assert house.ask(state) == [(2,)]
    assert len(house.ticks("interrupted")) == 1


def test_a_frozen_leader_is_followed_and_when_it_thaws_it_runs_nothing_and_ends(house, run_scheduler):
    """F21."""
    first, second = pair(run_scheduler, "QUICK")
    first.until('"job_name":"quick"')
    psutil.Process(first.process.pid).suspend()
    frozen_s = time.monotonic()
    second.until("scheduler.ended_frozen_leader")
    # Its heartbeat is older than its freezing: only longer than the limit is it frozen by its own clock, too.
    while time.monotonic() - frozen_s < scaled.BRISK.frozen_after_s + 1:
        second.until('"job_name":"quick"')

    psutil.Process(first.process.pid).resume()
    code, took_s = first.wait()
    second.until('"job_name":"quick"')

    assert (code, took_s < 1) == (FROZEN, True)
    assert_no_tick_ran_twice(house)
    pids = [pid for _, pid in house.runs("quick")]
    assert [(before, after) for before, after in pairwise(pids) if before != after] == [
        (first.process.pid, second.process.pid)
    ]


def test_with_the_lock_broken_both_lead_in_turn_and_still_no_tick_runs_twice(house, run_scheduler):
    """F23: epoch and claim alone keep runs single."""
    pair_of_them = [run_scheduler("QUICK", fault="unlocked") for _ in range(2)]
    for _ in range(3):
        for scheduler in pair_of_them:
            scheduler.until("scheduler.leading")
    wait_for(house, "SELECT 1 FROM scaled_run HAVING count(*) >= 8 AND count(DISTINCT pid) = 2")

    assert_no_tick_ran_twice(house)
    assert house.ask("SELECT epoch FROM scheduler_heartbeat") >= [(6,)]


@pytest.mark.parametrize("fault", ["loop_hangs", pytest.param("loop_dies", marks=pytest.mark.slow)])
def test_a_scheduler_without_its_loop_stops_beating_ends_itself_and_is_followed(house, run_scheduler, fault):
    """F30."""
    broken = run_scheduler("QUICK", fault=fault)
    broken.until("scheduler.leading")
    second = run_scheduler("QUICK")
    second.until("scheduler.waiting")

    second.until("scheduler.leading")
    second.until('"job_name":"quick"')

    assert broken.wait()[0] == FROZEN
    assert_no_tick_ran_twice(house)


@pytest.mark.slow
def test_versions_that_know_different_jobs_leave_each_other_s_alone(house, run_scheduler):
    """F36: in a rolling deploy either may lead."""
    old, new = pair(run_scheduler, "MIXED", "QUICK")
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'steady'")
    rows = "SELECT id FROM django_apscheduler_djangojob UNION SELECT job_name FROM job_state ORDER BY 1"

    assert old.end()[0] == 0
    new.until('"job_name":"quick"')
    known_to_old = house.ask(rows)
    back = run_scheduler("MIXED")
    back.until("scheduler.waiting")
    assert new.end()[0] == 0
    back.until('"job_name":"steady"')

    assert known_to_old == [("failing",), ("quick",), ("steady",)]
    assert house.ask(rows) == known_to_old
    assert {pid for _, pid in house.runs("steady")} == {old.process.pid, back.process.pid}
    for job in ("quick", "steady", "failing"):
        assert_no_tick_ran_twice(house, job)
