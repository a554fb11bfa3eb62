"""A job that hangs again and again, in real processes (docs/scheduler.md R12, R13; F24)."""

import json
from itertools import pairwise

from tests.jobs import scaled
from tests.jobs.processes import WITHIN_S
from tradingsite.jobs.scheduler.watchdog import OVER_HARD_LIMIT

QUICK = scaled.QUICK[0]


def in_the_order_of_their_terms(schedulers):
    """Wait until each has led, and return them in that order."""
    return sorted(schedulers, key=lambda scheduler: json.loads(scheduler.until("scheduler.leading"))["epoch"])


def test_f24_a_job_that_ends_its_process_three_times_is_paused_and_all_others_go_on(
    house, run_scheduler, settings
):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.HUNG"
    schedulers = [run_scheduler("HUNG", limits="DEFAULT") for _ in range(4)]
    *ended, last = in_the_order_of_their_terms(schedulers)
    assert [scheduler.process.wait(WITHIN_S) for scheduler in ended] == [OVER_HARD_LIMIT] * 3
    assert "job.quarantined" in "".join(last.lines)
    last.until("quarantined: ended its process")
    for _ in range(4):
        last.until('"job_name":"quick"')

    hung = [line.error for scheduler in schedulers for line in scheduler.runs_of("hung")]
    assert hung.count("hard limit exceeded: still running, limit 2.75 s") == 3
    assert len(hung) == 4, "one line a run, and one for the pause"
    assert house.ask("SELECT paused, paused_by FROM job_state WHERE job_name = 'hung'") == [
        (True, "scheduler")
    ]
    assert len(house.runs("hung")) == 3
    runs = house.runs("quick")
    in_one_process = [after[0] - before[0] for before, after in pairwise(runs) if before[1] == after[1]]
    assert max(in_one_process) <= 2 * QUICK.every
    assert len({tick for tick, _ in runs}) == len(runs)
