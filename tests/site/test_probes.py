"""The site's `database` component: it warns when the config listener has had no heartbeat for a lease."""

import time

import pytest
from django.db import connection

from sysconfig.models import SystemConfig
from sysconfig.push import listener
from tests.healthcheck.databases import unreachable
from tradingsite import probes

pytestmark = pytest.mark.django_db


@pytest.fixture
def listener_stats(monkeypatch):
    """The statistics of this process's listener; the test sets the age of its last heartbeat."""
    config_listener = listener.ConfigListener(SystemConfig.cache)
    monkeypatch.setattr(listener._this, "listener", config_listener)
    return config_listener._stats


def test_process_that_never_listened_is_healthy():
    assert probes.database().status == "healthy"


def test_listening_process_is_healthy(listener_stats):
    listener_stats.heartbeat_s = time.monotonic() - 14

    assert probes.database().status == "healthy"


def test_listener_without_a_heartbeat_for_a_lease_warns_and_names_the_setting(listener_stats):
    listener_stats.heartbeat_s = time.monotonic() - 40
    finding = probes.database()

    assert finding.status == "warning"
    assert "for 40 s" in finding.english
    assert "DATABASE_DIRECT_URL" in finding.english


def test_listener_that_never_had_a_heartbeat_mentions_poolers(listener_stats):
    listener_stats.started_s = time.monotonic() - 40
    finding = probes.database()

    assert finding.status == "warning"
    assert "transaction pooler" in finding.english


@pytest.mark.django_db(transaction=True)
def test_database_that_is_down_is_unhealthy(listener_stats, tmp_path):
    listener_stats.heartbeat_s = time.monotonic() - 40
    with unreachable(tmp_path):
        assert probes.database().status == "unhealthy"


def test_other_database_problems_come_first(listener_stats):
    listener_stats.heartbeat_s = time.monotonic() - 40
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'healthcheck'")

    assert "migrations are not applied" in probes.database().english


def test_process_with_a_silent_listener_is_still_ready(listener_stats, client, settings):
    listener_stats.heartbeat_s = time.monotonic() - 40
    settings.HEALTH_PROBES = settings.HEALTH_PROBES[:1]
    settings.HEALTH_TOKEN = "a-token-for-monitors"
    bearer = {"Authorization": "Bearer a-token-for-monitors"}

    assert client.get("/readyz").status_code == 200
    component = client.get("/api/v1/health/detail", headers=bearer).json()["components"][0]
    assert component["status"] == "warning"
    assert list(component) == ["name", "status", "latency_ms", "message"]
