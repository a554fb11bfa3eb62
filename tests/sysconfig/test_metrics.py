"""Rule 28: what the cache did in this process, as JSON and as metrics, for staff and bearers of the token."""

import pytest
from django.contrib.auth.models import User
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from sysconfig.models import SystemConfig
from sysconfig.push import listener

CACHE = "/api/v1/config/cache"
TOKEN = "a-token-for-monitors"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def token(settings):
    settings.HEALTH_TOKEN = TOKEN
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.fine"}]


def sign_in(client, **flags):
    client.force_login(
        User.objects.create_user("kim", **flags), backend="django.contrib.auth.backends.ModelBackend"
    )


@pytest.mark.parametrize("path", [CACHE, f"{CACHE}/"])
def test_the_bearer_of_the_token_gets_the_report_of_the_answering_process(client, path):
    SystemConfig.objects.get_value("stop_loss_pct")
    response = client.get(path, headers=BEARER)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == SystemConfig.objects.cache_report()
    assert {
        "hits",
        "misses",
        "coalesced",
        "discarded",
        "invalidations",
        "lease_age_s",
    } <= response.json().keys()


def test_staff_get_it_too_and_other_users_do_not(client):
    sign_in(client, is_staff=True)
    assert client.get(CACHE).status_code == 200
    User.objects.update(is_staff=False)

    assert client.get(CACHE).status_code == 403


def test_other_callers_are_refused_in_json(client):
    response = client.get(CACHE)

    assert (response.status_code, response["Content-Type"]) == (403, "application/json")
    assert response["Cache-Control"] == "no-store"
    assert list(response.json()) == ["error"]


def test_the_report_allows_only_safe_methods(client):
    assert client.post(CACHE, headers=BEARER).status_code == 405


def samples(client):
    text = client.get("/metrics", headers=BEARER).text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_metrics_agree_with_the_report(client, settings):
    settings.METRIC_SOURCES = ["sysconfig.metrics.families"]  # others read settings
    cache = SystemConfig.cache
    cache.get_or_set("some", lambda: 1)
    cache.get_or_set("some", lambda: 1)
    cache.invalidate_many(["other"])
    cache.invalidate("another")
    found = samples(client)

    counters = ("hits", "misses", "coalesced", "discarded", "reconnects", "missed_notifications")
    assert [found[f"sysconfig_cache_{name}_total",] for name in counters] == [1, 1, 0, 0, 0, 0]
    assert found["sysconfig_cache_size",] == 1
    assert found["sysconfig_cache_listening",] == 0
    sources = ("local", "notify", "reconnect", "anti_entropy")
    assert [found["sysconfig_cache_invalidations_total", source] for source in sources] == [1, 1, 0, 0]
    assert ("metrics_source_errors_total", "sysconfig.metrics.families") in found
    assert ("sysconfig_cache_lease_age_seconds",) not in found  # nothing has proved anything yet


def test_the_age_of_the_last_proof_is_a_metric_once_there_is_one(client, monkeypatch):
    heard = listener.ConfigListener(SystemConfig.cache)
    heard._stats.heartbeat_s = heard._stats.started_s
    monkeypatch.setattr(listener._this, "listener", heard)

    found = samples(client)
    assert found["sysconfig_cache_lease_age_seconds",] >= 0
    assert found["sysconfig_cache_listening",] == 1
