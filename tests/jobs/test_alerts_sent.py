"""The leader's alerts when the leader before it was killed while sending (docs/alerts.md)."""

import signal

import pytest

from tests.healthcheck.hooks import Hook
from tests.jobs.processes import WITHIN_S, wait_for


@pytest.fixture
def hook(house):
    made = Hook()
    before = dict(house.env)
    house.env |= {"ALERT_WEBHOOK_URL": made.url, "LOG_LEVEL": "DEBUG"}
    yield made
    house.env.clear()
    house.env.update(before)
    made.close()


@pytest.fixture
def unapplied(house):
    """Make the database's probe warn: an app's migrations look unapplied until the test is over."""
    rows = []

    def take(app):
        rows.extend(
            house.ask("DELETE FROM django_migrations WHERE app = %s RETURNING app, name, applied", app)
        )

    yield take
    for row in rows:
        house.ask("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", *row)


def test_alert_whose_sender_is_killed_before_recording_it_is_sent_again(
    house, run_scheduler, hook, unapplied
):
    first = run_scheduler("QUICK")
    first.until("scheduler.leading")
    second = run_scheduler("QUICK")
    second.until("scheduler.waiting")
    wait_for(house, "SELECT 1 FROM health_state WHERE component = 'database' AND status = 'healthy'")
    hook.hold()
    unapplied("sessions")
    assert hook.arrived.wait(WITHIN_S)

    first.end(signal.SIGKILL)
    assert house.ask("SELECT state, attempts FROM health_alert") == [("pending", 1)]
    hook.release()
    house.ask("UPDATE health_alert SET claimed_until = now()")  # half a minute later
    wait_for(house, "SELECT 1 FROM health_alert WHERE state = 'sent'")

    assert [message["after"] for message in hook.messages] == ["warning", "warning"]
    assert hook.messages[0]["at"] == hook.messages[1]["at"]
    assert house.ask("SELECT state, attempts FROM health_alert") == [("sent", 2)]
    second.end()
    leaks = [line for line in (*first.lines, *second.lines) if "a-secret-path" in line]
    assert leaks == []
