"""The leader's alerts when the leader before it was killed while sending (docs/alerts.md)."""

import signal

import pytest

from tests.healthcheck.hooks import Hook
from tests.jobs.processes import WITHIN_S, wait_for


@pytest.fixture
def hook(db_server):
    made = Hook()
    before = dict(db_server.env)
    db_server.env |= {"ALERT_WEBHOOK_URL": made.url, "LOG_LEVEL": "DEBUG"}
    yield made
    db_server.env.clear()
    db_server.env.update(before)
    made.close()


@pytest.fixture
def unapplied(db_server):
    """Make the database's probe warn: an app's migrations look unapplied until the test is over."""
    rows = []

    def take(app):
        rows.extend(
            db_server.query("DELETE FROM django_migrations WHERE app = %s RETURNING app, name, applied", app)
        )

    yield take
    for row in rows:
        db_server.query("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", *row)


def test_alert_whose_sender_is_killed_before_recording_it_is_sent_again(
    db_server, run_scheduler, hook, unapplied
):
    first = run_scheduler("QUICK")
    first.until("scheduler.leading")
    second = run_scheduler("QUICK")
    second.until("scheduler.waiting")
    wait_for(db_server, "SELECT 1 FROM health_state WHERE component = 'database' AND status = 'healthy'")
    hook.hold()
    unapplied("sessions")
    assert hook.arrived.wait(WITHIN_S)

    first.end(signal.SIGKILL)
    assert db_server.query("SELECT state, attempts FROM health_alert") == [("pending", 1)]
    hook.release()
    db_server.query("UPDATE health_alert SET claimed_until = now()")  # half a minute later
    wait_for(db_server, "SELECT 1 FROM health_alert WHERE state = 'sent'")

    assert [message["after"] for message in hook.messages] == ["warning", "warning"]
    assert hook.messages[0]["at"] == hook.messages[1]["at"]
    assert db_server.query("SELECT state, attempts FROM health_alert") == [("sent", 2)]
    second.end()
    leaks = [line for line in (*first.lines, *second.lines) if "a-secret-path" in line]
    assert leaks == []
