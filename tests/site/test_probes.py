"""The site's `database` component: a process that no longer hears of changed settings says so."""

import time

import pytest
from django.db import connection

from sysconfig.models import SystemConfig
from sysconfig.push import listener
from tests.healthcheck.databases import unreachable
from tradingsite import probes

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(monkeypatch):
    """A listener of this process whose last proof is as old as the test says."""
    made = listener.ConfigListener(SystemConfig.cache)
    monkeypatch.setattr(listener._this, "listener", made)
    return made._stats


def test_a_process_that_never_listened_is_no_warning():
    assert probes.database().status == "healthy"


def test_a_process_that_hears_is_as_well_as_its_database(heard):
    heard.proved_s = time.monotonic() - 14

    assert probes.database().status == "healthy"


def test_a_process_that_heard_nothing_for_a_lease_warns_and_says_where_to_look(heard):
    heard.proved_s = time.monotonic() - 40
    found = probes.database()

    assert found.status == "warning"
    assert "for 40 s" in found.english
    assert "DATABASE_DIRECT_URL" in found.english


def test_a_process_that_never_heard_anything_is_told_of_poolers(heard):
    heard.started_s = time.monotonic() - 40
    found = probes.database()

    assert found.status == "warning"
    assert "transaction pooler" in found.english


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_down_is_worse(heard, tmp_path):
    heard.proved_s = time.monotonic() - 40
    with unreachable(tmp_path):
        assert probes.database().status == "unhealthy"


def test_what_else_is_wrong_with_the_database_comes_first(heard):
    heard.proved_s = time.monotonic() - 40
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'healthcheck'")

    assert "migrations are not applied" in probes.database().english


def test_a_process_that_hears_nothing_is_ready_all_the_same(heard, client, settings):
    heard.proved_s = time.monotonic() - 40
    settings.HEALTH_PROBES = settings.HEALTH_PROBES[:1]
    settings.HEALTH_TOKEN = "a-token-for-monitors"
    bearer = {"Authorization": "Bearer a-token-for-monitors"}

    assert client.get("/readyz").status_code == 200
    component = client.get("/api/v1/health/detail", headers=bearer).json()["components"][0]
    assert component["status"] == "warning"
    assert list(component) == ["name", "status", "latency_ms", "message"]
