"""A job that hangs again and again, in real processes (docs/scheduler.md R12, R13; F24)."""

import json
from collections import Counter

from tradingsite.jobs.scheduler.watchdog import OVER_HARD_LIMIT


def in_the_order_of_their_terms(schedulers):
    """Wait until each has led; return them in that order."""
    return sorted(schedulers, key=lambda scheduler: json.loads(scheduler.until("scheduler.leading"))["epoch"])


def test_job_that_ends_its_process_three_times_is_paused(db_server, run_scheduler, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.HUNG"
    schedulers = [run_scheduler("HUNG") for _ in range(4)]
    *ended, last = in_the_order_of_their_terms(schedulers)
    assert [scheduler.wait() for scheduler in ended] == [OVER_HARD_LIMIT] * 3
    assert "job.quarantined" in "".join(last.lines)
    last.until("quarantined: ended its process")
    for _ in range(2):
        last.until('"job_name":"quick"')

    hung = [line.error for scheduler in schedulers for line in scheduler.runs_of("hung")]
    assert hung.count("hard limit exceeded: still running, limit 2.75 s") == 3
    assert len(hung) == 4, "one line a run, and one for the pause"
    assert db_server.query("SELECT paused, paused_by FROM job_state WHERE job_name = 'hung'") == [
        (True, "scheduler")
    ]
    assert len(db_server.runs("hung")) == 3
    runs = db_server.runs("quick")
    runs_of = Counter(pid for _, pid in runs)
    assert all(runs_of[scheduler.process.pid] >= 2 for scheduler in schedulers)
    assert len({tick for tick, _ in runs}) == len(runs)
