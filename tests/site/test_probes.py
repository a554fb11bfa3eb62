"""The site's `database` component: a process without news of changed settings warns."""

import time

import pytest
from django.db import connection

from sysconfig.models import SystemConfig
from sysconfig.push import listener
from tests.healthcheck.databases import unreachable
from tradingsite import probes

pytestmark = pytest.mark.django_db


@pytest.fixture
def listening(monkeypatch):
    """The statistics of this process's listener; the test sets the age of its last proof."""
    made = listener.ConfigListener(SystemConfig.cache)
    monkeypatch.setattr(listener._this, "listener", made)
    return made._stats


def test_process_that_never_listened_is_healthy():
    assert probes.database().status == "healthy"


def test_listening_process_is_healthy(listening):
    listening.proved_s = time.monotonic() - 14

    assert probes.database().status == "healthy"


def test_process_without_a_proof_for_a_lease_warns_and_says_where_to_look(listening):
    listening.proved_s = time.monotonic() - 40
    found = probes.database()

    assert found.status == "warning"
    assert "for 40 s" in found.english
    assert "DATABASE_DIRECT_URL" in found.english


def test_process_that_never_had_a_proof_mentions_poolers(listening):
    listening.started_s = time.monotonic() - 40
    found = probes.database()

    assert found.status == "warning"
    assert "transaction pooler" in found.english


@pytest.mark.django_db(transaction=True)
def test_database_that_is_down_is_unhealthy(listening, tmp_path):
    listening.proved_s = time.monotonic() - 40
    with unreachable(tmp_path):
        assert probes.database().status == "unhealthy"


def test_other_database_problems_come_first(listening):
    listening.proved_s = time.monotonic() - 40
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'healthcheck'")

    assert "migrations are not applied" in probes.database().english


def test_process_without_a_proof_is_still_ready(listening, client, settings):
    listening.proved_s = time.monotonic() - 40
    settings.HEALTH_PROBES = settings.HEALTH_PROBES[:1]
    settings.HEALTH_TOKEN = "a-token-for-monitors"
    bearer = {"Authorization": "Bearer a-token-for-monitors"}

    assert client.get("/readyz").status_code == 200
    component = client.get("/api/v1/health/detail", headers=bearer).json()["components"][0]
    assert component["status"] == "warning"
    assert list(component) == ["name", "status", "latency_ms", "message"]
