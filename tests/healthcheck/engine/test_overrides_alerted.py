"""Alerts of rehearsals and maintenance windows (docs/health.md, 19; docs/alerts.md)."""

import pytest
from django.db.models.functions import Now

from healthcheck.alerts.sender import AlertSender
from healthcheck.engine.engine import forget_engine
from healthcheck.history.recorder import Recorder
from healthcheck.models import Alert, HealthOverride
from healthcheck.report import Finding
from tests.healthcheck import samples
from tests.healthcheck.imposing import impose


@pytest.fixture
def look(settings, monkeypatch, transactional_db):
    """Tick the recorder `times`, with findings of the test and a webhook that is never called."""
    settings.ALERT_WEBHOOK_URL = "http://127.0.0.1:9/"
    settings.HEALTH_PROBES = [{"name": "api", "probe": "tests.healthcheck.samples.is_api"}]
    found = {"api": Finding("healthy", "fine")}
    monkeypatch.setattr(samples, "is_api", lambda: found["api"], raising=False)
    recorder = Recorder(lambda: True, AlertSender())

    def looked(times, **findings):
        found.update(findings)
        for _ in range(times):
            forget_engine()
            recorder.tick()

    yield looked
    forget_engine()


def alerted_states():
    rows = Alert.objects.order_by("transition__at").select_related("transition")
    return [(row.transition.after, row.transition.rehearsal) for row in rows]


def test_a_rehearsal_alerts_at_its_start_and_end(look):
    look(1)
    impose("fail", "api")
    look(4)
    HealthOverride.objects.update(ended_at=Now(), ended_by="kim")
    look(3)

    assert alerted_states() == [("unhealthy", True), ("healthy", True)]


def test_a_component_in_maintenance_sends_no_alert(look):
    look(1)
    impose("maintenance", "api")
    look(5, api=Finding("unhealthy", "broken"))

    assert alerted_states() == []


def test_a_failure_that_outlives_its_maintenance_sends_an_alert(look):
    impose("maintenance", "api")
    look(3, api=Finding("unhealthy", "broken"))
    HealthOverride.objects.update(ended_at=Now(), ended_by="kim")
    look(3)

    assert alerted_states() == [("unhealthy", False)]
