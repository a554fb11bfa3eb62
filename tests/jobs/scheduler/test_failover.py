"""Who leads when processes are killed, frozen, broken or of different versions.

docs/scheduler.md F14, F15, F20, F21, F23, F26, F30, F36.
"""

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


def assert_no_tick_ran_twice(db_server, job="quick"):
    ticks = db_server.ticks(job)
    assert len(set(ticks)) == len(ticks)


def missing(db_server, job=QUICK):
    """Return the ticks between the first and the last run that were not run."""
    ticks = sorted(db_server.ticks(job.name))
    due = (ticks[0] + number * job.every for number in range((ticks[-1] - ticks[0]) // job.every))
    return [tick for tick in due if tick not in ticks]


def pair(run_scheduler, *timetables, **facts):
    """Start two schedulers; the first leads."""
    first = run_scheduler(timetables[0], **facts)
    first.until("scheduler.leading")
    second = run_scheduler(timetables[-1], **facts)
    second.until("scheduler.waiting")
    return first, second


def test_killed_leader_is_followed_and_its_run_is_closed(db_server, run_scheduler):
    first, second = pair(run_scheduler, "SLOW", slow_s=600)
    wait_for(db_server, "SELECT 1 FROM scaled_run WHERE job = 'slow'")
    for _ in range(4):
        first.until('"job_name":"quick"')
    assert {pid for _, pid in db_server.runs("quick")} == {first.process.pid}
    roles = "SELECT role, pid FROM scheduler_process ORDER BY role"
    wait_for(db_server, "SELECT 1 FROM scheduler_process WHERE role = 'standby'")
    assert db_server.query(roles) == [("leader", first.process.pid), ("standby", second.process.pid)]

    first.end(signal.SIGKILL)
    killed_at = db_server.query("SELECT clock_timestamp()")[0][0]
    second.until("aborted: ")
    second.until('"job_name":"quick"')

    led_at = when(next(line for line in second.lines if "scheduler.leading" in line))
    # Not by the limit for a frozen leader: the lock is free as soon as the leader is dead.
    assert led_at - killed_at < timedelta(seconds=scaled.BRISK.frozen_after_s)
    assert_no_tick_ran_twice(db_server)
    assert [tick for tick in missing(db_server) if tick > led_at + QUICK.every] == []
    wait_for(db_server, "SELECT 1 WHERE (SELECT count(*) FROM scheduler_process) = 1")
    assert db_server.query(roles) == [("leader", second.process.pid)]
    assert db_server.query("SELECT epoch, pid FROM scheduler_heartbeat") == [(2, second.process.pid)]


def test_ended_lock_session_brings_a_new_term_and_no_second_run(db_server, run_scheduler):
    first, second = pair(run_scheduler, "QUICK")
    for _ in range(2):
        ((epoch, _),) = db_server.query(
            "SELECT epoch, pg_terminate_backend(lock_pid, 1000) FROM scheduler_heartbeat"
        )
        # On a busy machine the one that has just lost the lock may be the first to get it again.
        wait_for(db_server, "SELECT 1 FROM scheduler_heartbeat WHERE epoch > %s", epoch)
        wait_for(db_server, "SELECT 1 FROM job_state WHERE job_name = 'quick' AND claim_epoch > %s", epoch)

    assert_no_tick_ran_twice(db_server)
    assert [scheduler.process.poll() for scheduler in (first, second)] == [None, None]


def test_job_whose_session_is_ended_is_tried_again(db_server, run_scheduler):
    run_scheduler("INTERRUPTED")
    running = "FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30) AS interrupted'"
    wait_for(db_server, f"SELECT 1 {running}")
    db_server.query(f"SELECT pg_terminate_backend(pid) {running}")

    state = "SELECT last_attempts FROM job_state WHERE job_name = 'interrupted' AND last_success"
    wait_for(db_server, state)
    assert db_server.query(state) == [(2,)]
    assert len(db_server.ticks("interrupted")) == 1


def test_frozen_leader_is_followed_and_ends_when_it_thaws(db_server, run_scheduler):
    first, second = pair(run_scheduler, "QUICK", limits="SOON_FROZEN")
    first.until('"job_name":"quick"')
    psutil.Process(first.process.pid).suspend()
    frozen_s = time.monotonic()
    second.until("scheduler.ended_frozen_leader")
    # Its last heartbeat was before it froze; by its own clock it is frozen only after the whole limit.
    while time.monotonic() - frozen_s < scaled.SOON_FROZEN.frozen_after_s + 0.5:
        second.until('"job_name":"quick"')

    psutil.Process(first.process.pid).resume()
    assert first.wait() == FROZEN
    second.until('"job_name":"quick"')

    assert_no_tick_ran_twice(db_server)
    pids = [pid for _, pid in db_server.runs("quick")]
    assert [(before, after) for before, after in pairwise(pids) if before != after] == [
        (first.process.pid, second.process.pid)
    ]


def test_no_tick_runs_twice_though_the_lock_is_broken(db_server, run_scheduler):
    """Epoch and claim alone keep runs single."""
    both = [run_scheduler("TWENTIETH", limits="IN_TURN", fault="unlocked") for _ in range(2)]
    for _ in range(3):
        for scheduler in both:
            scheduler.until("scheduler.leading")
    wait_for(db_server, "SELECT 1 FROM scaled_run HAVING count(*) >= 8 AND count(DISTINCT pid) = 2")

    assert_no_tick_ran_twice(db_server)
    assert db_server.query("SELECT epoch FROM scheduler_heartbeat") >= [(6,)]


@pytest.mark.parametrize("fault", ["loop_hangs", pytest.param("loop_dies", marks=pytest.mark.slow)])
def test_scheduler_whose_loop_has_stopped_ends_and_is_followed(db_server, run_scheduler, fault):
    broken = run_scheduler("TWENTIETH", limits="SOON_FROZEN", fault=fault)
    broken.until("scheduler.leading")
    second = run_scheduler("TWENTIETH")
    second.until("scheduler.waiting")

    second.until("scheduler.leading")
    second.until('"job_name":"quick"')

    assert broken.wait() == FROZEN
    assert_no_tick_ran_twice(db_server)


@pytest.mark.slow
def test_version_leaves_jobs_it_does_not_know_alone(db_server, run_scheduler):
    """In a rolling deploy either version may lead."""
    old, new = pair(run_scheduler, "MIXED", "QUICK")
    wait_for(db_server, "SELECT 1 FROM scaled_run WHERE job = 'steady'")
    rows = "SELECT id FROM django_apscheduler_djangojob UNION SELECT job_name FROM job_state ORDER BY 1"

    assert old.end()[0] == 0
    new.until('"job_name":"quick"')
    known_to_old = db_server.query(rows)
    back = run_scheduler("MIXED")
    back.until("scheduler.waiting")
    assert new.end()[0] == 0
    back.until('"job_name":"steady"')

    assert known_to_old == [("failing",), ("quick",), ("steady",)]
    assert db_server.query(rows) == known_to_old
    assert {pid for _, pid in db_server.runs("steady")} == {old.process.pid, back.process.pid}
    for job in ("quick", "steady", "failing"):
        assert_no_tick_ran_twice(db_server, job)
