"""Operators' requests to a scheduler process, and its roll-up (docs/scheduler.md R22, F12)."""

import json
import signal

import psycopg
import pytest

from tests.forked import Command
from tests.jobs.processes import WITHIN_S, wait_for


@pytest.fixture
def jobs(db_server):
    """Start `manage.py jobs` next to the scheduler."""
    environ = {"SCALED": "RARE", "LIMITS": "BRISK", "SLOW_S": "0"}
    started = []

    def start(*words):
        started.append(Command("manage.py", "jobs", *words, env={**db_server.env, **environ}))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.output.close()


def end(process):
    """Return the exit code and all output of a command, once it has ended."""
    output = process.output.read()
    return process.wait(WITHIN_S), output


def test_leader_obeys_run_pause_and_resume(db_server, run_scheduler, jobs):
    scheduler = run_scheduler("RARE")
    scheduler.until("scheduler.leading")

    with psycopg.connect(db_server.url, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(1)")
        first = jobs("run", "blocking", "--json", "--by", "ann")
        wait_for(db_server, "SELECT 1 FROM job_state WHERE running_since IS NOT NULL")
        assert db_server.query("SELECT last_requested_by FROM job_state WHERE job_name = 'blocking'") == [
            ("ann",)
        ]
        # During the run the first request is kept for later, the second is refused.
        second = jobs("run", "blocking", "--json", "--by", "bob")
        wait_for(db_server, "SELECT 1 FROM job_state WHERE run_requested_by = 'bob'")
        code, output = end(jobs("run", "blocking", "--by", "eve"))
        assert (code, "already, by bob" in output) == (3, True)
        assert len(db_server.runs("blocking")) == 1
    for process in (first, second):
        code, output = end(process)
        assert (code, json.loads(output)["success"]) == (0, True)
    assert len(db_server.runs("blocking")) == 2

    assert end(jobs("pause", "blocking", "--reason", "rebuild", "--by", "ann"))[0] == 0
    db_server.query("UPDATE job_state SET run_requested_at = now() WHERE job_name = 'blocking'")
    assert "paused: rebuild" in scheduler.until("refused: ")
    assert len(db_server.runs("blocking")) == 2

    assert end(jobs("resume", "blocking", "--by", "ann"))[0] == 0
    assert end(jobs("run", "blocking", "--by", "bob"))[0] == 0
    assert len(db_server.runs("blocking")) == 3
    assert len({tick for tick, _ in db_server.runs("blocking")}) == 3
    assert scheduler.end()[0] == 0
    # The rest of the roll-up is saved at the end.
    sums = "SELECT sum(runs), sum(skipped), sum(failures) FROM job_hour WHERE job_name = 'blocking'"
    assert db_server.query(sums) == [(3, 1, 0)]


def test_roll_up_is_saved_while_the_scheduler_runs_and_at_its_end(db_server, run_scheduler, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.scaled.QUICK"
    scheduler = run_scheduler("QUICK")
    wait_for(db_server, "SELECT 1 FROM job_hour WHERE job_name = 'quick' HAVING sum(runs) >= 2")
    assert scheduler.end()[0] == 0

    logged = len([metric for metric in scheduler.metrics("quick") if metric.success])
    assert db_server.query("SELECT sum(runs), sum(failures) FROM job_hour") == [(logged, 0)]
    (lateness,) = db_server.query(
        "SELECT sum(n::int) FROM job_hour, jsonb_each_text(lateness_histogram) AS b(k, n)"
    )
    assert lateness == (logged,)
    awaited = (
        "SELECT awaited_since >= acquired_at, awaited_since < last_tick FROM job_state, scheduler_heartbeat"
    )
    assert db_server.query(awaited) == [(True, True)]
