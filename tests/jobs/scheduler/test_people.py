"""What people ask of a scheduler that is a process of its own."""

import json
import subprocess
import sys

import psycopg
import pytest

from tests.jobs.processes import ROOT, wait_for


@pytest.fixture
def jobs(house):
    """`manage.py jobs` beside the scheduler; gives its exit code, what it said, and its complaint."""
    facts = {"SCALED": "RARE", "LIMITS": "BRISK", "SLOW_S": "0"}
    begun = []

    def begin(*words):
        begun.append(
            subprocess.Popen(
                [sys.executable, "manage.py", "jobs", *words],
                cwd=ROOT, env={**house.env, **facts},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def end(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_run_now_pause_and_resume_are_obeyed_by_the_scheduler_that_leads(house, run_scheduler, jobs):
    """F12: asked for once, twice quickly, during a run, and while paused."""
    scheduler = run_scheduler("RARE")
    scheduler.until("scheduler.leading")

    with psycopg.connect(house.url, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(1)")
        first = jobs("run", "held", "--json", "--by", "ann")
        wait_for(house, "SELECT 1 FROM job_state WHERE running_since IS NOT NULL")
        assert house.ask("SELECT last_requested_by FROM job_state WHERE job_name = 'held'") == [("ann",)]
        # While it runs, two ask: the first is kept for later, the second is refused.
        second = jobs("run", "held", "--json", "--by", "bob")
        wait_for(house, "SELECT 1 FROM job_state WHERE run_requested_by = 'bob'")
        code, _, said = end(jobs("run", "held", "--by", "eve"))
        assert (code, "already, by bob" in said) == (3, True)
        assert len(house.runs("held")) == 1
    for process in (first, second):
        code, out, said = end(process)
        assert (code, said, json.loads(out)["success"]) == (0, "", True)
    assert len(house.runs("held")) == 2

    assert end(jobs("pause", "held", "--reason", "rebuild", "--by", "ann"))[0] == 0
    house.ask("UPDATE job_state SET run_requested_at = now() WHERE job_name = 'held'")
    assert "paused: rebuild" in scheduler.until("refused: ")
    assert len(house.runs("held")) == 2

    assert end(jobs("resume", "held", "--by", "ann"))[0] == 0
    assert end(jobs("run", "held", "--by", "bob"))[0] == 0
    assert len(house.runs("held")) == 3
    assert len({tick for tick, _ in house.runs("held")}) == 3
    assert scheduler.end()[0] == 0
    # At the end the rest of the roll-up is saved.
    sums = "SELECT sum(runs), sum(skipped), sum(failures) FROM job_hour WHERE job_name = 'held'"
    assert house.ask(sums) == [(3, 1, 0)]


def test_the_roll_up_is_saved_while_the_scheduler_runs_and_at_its_end(house, run_scheduler, settings):
    """R22."""
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.QUICK"
    scheduler = run_scheduler("QUICK")
    wait_for(house, "SELECT 1 FROM job_hour WHERE job_name = 'quick' HAVING sum(runs) >= 2")
    assert scheduler.end()[0] == 0

    told = len([metric for metric in scheduler.metrics("quick") if metric.success])
    assert house.ask("SELECT sum(runs), sum(failures) FROM job_hour") == [(told, 0)]
    (lateness,) = house.ask(
        "SELECT sum(n::int) FROM job_hour, jsonb_each_text(lateness_histogram) AS b(k, n)"
    )
    assert lateness == (told,)
    awaited = (
        "SELECT awaited_since >= acquired_at, awaited_since < last_tick FROM job_state, scheduler_heartbeat"
    )
    assert house.ask(awaited) == [(True, True)]
