"""A scheduler as a process of its own, on a database server of its own."""

import os
import signal
import subprocess
import sys

import psutil

from tests.jobs import scaled
from tests.jobs.processes import ROOT, WITHIN_S, steps
from tradingsite.jobs.shutdown import StopOnSignal


def test_every_tick_runs_once_on_its_grid_and_logs_one_metric(db_server, run_scheduler, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.MIXED"  # a metric's name must be a job's
    scheduler = run_scheduler("MIXED")
    for job in scaled.MIXED:  # each has a thread of its own
        scheduler.until(f'"job_name":"{job.name}"')
    process = psutil.Process(scheduler.process.pid)
    before = process.num_threads(), process.memory_info().rss
    for _ in range(6):
        scheduler.until('"job_name":"quick"')
    after = process.num_threads(), process.memory_info().rss
    leader = db_server.query(
        "SELECT pid, clock_timestamp() - heartbeat_at < interval '30 s' FROM scheduler_heartbeat"
    )

    assert scheduler.end()[0] == 0
    for job in scaled.MIXED:
        ticks = db_server.ticks(job.name)
        assert min(steps(ticks)) == job.every, job.name
        assert [job.trigger.floor(tick) for tick in ticks] == ticks
        metrics = scheduler.metrics(job.name)
        assert len(metrics) == len(ticks)
        assert {metric.success for metric in metrics} == {job.name != "failing"}
    assert_failures_are_shown(db_server, scheduler)
    assert leader == [(process.pid, True)]
    assert after[0] <= before[0] + 1
    assert after[1] < before[1] + 3_000_000


def assert_failures_are_shown(db_server, scheduler):
    ((failures, runs, error),) = db_server.query(
        "SELECT consecutive_failures, runs, last_error FROM job_state WHERE job_name = 'failing'"
    )
    assert failures == runs == len(scheduler.metrics("failing"))
    assert error == "ValueError: first line second line with api_key=***"
    assert "not-for-the-log" not in "".join(scheduler.lines)


def test_kernel_ends_a_process_that_cannot_end_itself():
    program = (
        "import signal, threading\n"
        "from tradingsite.jobs.shutdown import StopOnSignal\n"
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


def test_signal_ends_the_wait_and_more_signals_do_no_harm():
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
