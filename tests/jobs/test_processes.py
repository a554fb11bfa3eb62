"""Schedulers as processes of their own, on a database server of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.jobs import scaled
from tests.jobs.processes import GRACE_S, LOCK_TIMEOUT_S, ROOT, WITHIN_S, House, Scheduler, steps, wait_for
from tradingsite.jobs.stop import StopOnSignal


@pytest.fixture(scope="module")
def shared_house():
    # Not pytest's own: that one is closed to PostgreSQL's account when root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="jobs-"))
    folder.chmod(0o711)
    house = House(folder)
    yield house
    house.start()
    house.server.ctl("stop", "-m", "immediate")
    shutil.rmtree(folder)


@pytest.fixture
def house(shared_house):
    shared_house.start()
    shared_house.empty()
    return shared_house


@pytest.fixture
def run_scheduler(house):
    started = []

    def run(timetable, **facts):
        started.append(Scheduler(house, timetable, **facts))
        return started[-1]

    yield run
    for scheduler in started:
        scheduler.close()


def test_every_tick_runs_once_on_its_grid_and_leaves_one_metric(house, run_scheduler, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.MIXED"  # whose names the metrics must have
    scheduler = run_scheduler("MIXED")
    for job in scaled.MIXED:  # each brings its thread
        scheduler.until(f'"job_name":"{job.name}"')
    process = psutil.Process(scheduler.process.pid)
    before = process.num_threads(), process.memory_info().rss
    for _ in range(6):
        scheduler.until('"job_name":"quick"')
    after = process.num_threads(), process.memory_info().rss
    leader = house.ask(
        "SELECT pid, clock_timestamp() - heartbeat_at < interval '6 s' FROM scheduler_heartbeat"
    )

    assert scheduler.end()[0] == 0
    for job in scaled.MIXED:
        ticks = house.ticks(job.name)
        assert min(steps(ticks)) == job.every, job.name
        assert [job.trigger.floor(tick) for tick in ticks] == ticks
        metrics = scheduler.metrics(job.name)
        assert len(metrics) == len(ticks)
        assert {metric.success for metric in metrics} == {job.name != "failing"}
    assert_failures_are_shown(house, scheduler)
    assert leader == [(process.pid, True)]
    assert after[0] <= before[0] + 1
    assert after[1] < before[1] + 3_000_000


def assert_failures_are_shown(house, scheduler):
    ((failures, runs, error),) = house.ask(
        "SELECT consecutive_failures, runs, last_error FROM job_state WHERE job_name = 'failing'"
    )
    assert failures == runs == len(scheduler.metrics("failing"))
    assert error == "ValueError: first line second line with api_key=***"
    assert "not-for-the-log" not in "".join(scheduler.lines)


def test_a_second_scheduler_waits_takes_over_from_a_killed_one_and_ends_in_spite_of_a_hung_run(
    house, run_scheduler, settings
):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.SLOW"
    first = run_scheduler("SLOW", slow_s=60)
    first.until("scheduler.leading")
    second = run_scheduler("SLOW", slow_s=60)
    second.until("scheduler.waiting")
    first.until('"job_name":"slow"')  # skipped: so its first run goes on

    first.end(signal.SIGKILL)
    killed = time.monotonic()
    second.until('"job_name":"quick"')
    took_over_in_s = time.monotonic() - killed
    wait_for(house, "SELECT 1 FROM scaled_run WHERE job = 'slow' AND pid = %s", second.process.pid)
    code, ended_in_s = second.end()

    assert took_over_in_s < 5
    assert (code, GRACE_S <= ended_in_s < GRACE_S + 3) == (1, True)
    runs = house.ask("SELECT tick, pid FROM scaled_run WHERE job = 'quick' ORDER BY tick")
    assert len({tick for tick, _ in runs}) == len(runs)
    assert all(scaled.QUICK[0].trigger.floor(tick) == tick for tick, _ in runs)
    changes = [(before, after) for (_, before), (_, after) in pairwise(runs) if before != after]
    assert changes == [(first.process.pid, second.process.pid)]
    assert first.runs_of("slow") == []
    assert [metric.error for metric in second.runs_of("slow")] == ["aborted: its scheduler ended first"]


def test_told_to_end_it_lets_a_run_end_even_while_its_loop_waits_for_a_row(house, run_scheduler, settings):
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
    wait_for(house, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE state ^@ 'idle in')")


def test_a_database_that_is_away_at_the_start_and_again_later_is_waited_for(house, run_scheduler):
    house.stop()
    scheduler = run_scheduler("QUICK")
    scheduler.until("scheduler.cannot_lead")
    house.start()
    scheduler.until('"job_name":"quick"')

    house.stop()
    scheduler.until("scheduler.resigned")
    house.start()
    resigned_at = datetime.fromisoformat(json.loads(scheduler.until("scheduler.leading"))["timestamp"])
    while datetime.fromisoformat(json.loads(scheduler.until('"success":true'))["timestamp"]) < resigned_at:
        pass
    code, _ = scheduler.end()

    assert code == 0
    assert len(set(house.ticks("quick"))) == len(house.ticks("quick"))


def test_a_process_that_cannot_end_is_ended_by_the_kernel():
    program = (
        "import signal, threading\n"
        "from tradingsite.jobs.stop import StopOnSignal\n"
        "StopOnSignal(kill_after_s=1)\n"
        "print(flush=True)\n"
        "lock = threading.Lock()\n"
        "lock.acquire()\n"
        "lock.acquire()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline()
    process.terminate()

    assert process.wait(WITHIN_S) == -signal.SIGALRM
    process.stdout.close()


def test_a_signal_ends_the_wait_and_any_number_of_them_do_no_harm():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = StopOnSignal(kill_after_s=60)
    try:
        assert not stop.wait(0.01)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert stop.wait(30)
        assert stop.is_set()
    finally:
        signal.alarm(0)
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        stop._reader.close()
        stop._writer.close()
