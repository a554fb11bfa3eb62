"""The leader writes the health history (docs/health.md, 17)."""

import signal

import pytest

from tests.jobs.processes import wait_for


@pytest.mark.slow
def test_kill_loses_and_doubles_no_sample_and_an_outage_is_recorded(db_server, run_scheduler):
    first = run_scheduler("QUICK")
    wait_for(db_server, "SELECT 1 FROM health_sample WHERE component = 'database'")
    second = run_scheduler("QUICK")
    second.until("scheduler.waiting")
    first.end(signal.SIGKILL)
    second.until("scheduler.leading")
    wait_for(db_server, "SELECT 1 FROM health_state, scheduler_heartbeat WHERE seen_at > acquired_at")

    db_server.stop("immediate")
    for _ in range(5):  # more than the three that make a change
        second.until("health.kept")
    db_server.start()
    wait_for(
        db_server, "SELECT 1 FROM health_transition WHERE component = 'database' AND after = 'unhealthy'"
    )
    wait_for(db_server, "SELECT 1 FROM health_transition WHERE component = 'database' AND after = 'healthy'")

    ((samples, minutes),) = db_server.query("SELECT count(*), count(DISTINCT at) FROM health_sample")
    ((counted,),) = db_server.query("SELECT sum(healthy + warning + unhealthy + unjudged) FROM health_hour")
    assert samples == minutes == counted
    assert db_server.query("SELECT count(*) FROM health_transition") == [(2,)]
    assert second.end()[0] == 0
