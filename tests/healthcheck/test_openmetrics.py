"""`/metrics`: what any OpenMetrics reader understands, for staff and bearers, whatever one source does."""

from typing import cast

import pytest
from django.contrib.auth.models import User
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from healthcheck import openmetrics as metrics
from healthcheck.checks import metric_sources

TOKEN = "a-token-for-monitors"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HERE = "tests.healthcheck.test_openmetrics"
FINE, RAISES, UNWRITABLE = f"{HERE}.fine", f"{HERE}.raises", f"{HERE}.unwritable"


def fine():
    yield GaugeMetricFamily("queue_length", "Messages that wait.", value=3)


def raises():
    yield GaugeMetricFamily("half_of_it", "Written before the failure.", value=1)
    raise RuntimeError("api_key=not-for-anybody")


def unwritable():
    return [GaugeMetricFamily("text", "No number.", value=cast("float", "three"))]


@pytest.fixture(autouse=True)
def site(settings, monkeypatch):
    settings.HEALTH_TOKEN = TOKEN
    settings.METRIC_SOURCES = [FINE]
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.fine"}]
    monkeypatch.setattr(metrics, "_errors", type(metrics._errors)())


def scraped(client):
    """Return the samples of a scrape as prometheus_client's own strict parser reads them."""
    response = client.get("/metrics", headers=BEARER)
    assert response.status_code == 200
    families = list(text_string_to_metric_families(response.text))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_scrape_is_openmetrics_and_is_not_cached(client):
    response = client.get("/metrics", headers=BEARER)

    assert response["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert response.text.endswith("# EOF\n")
    assert response.text.count("# EOF") == 1
    assert scraped(client) == {("queue_length",): 3, ("metrics_source_errors_total", FINE): 0}


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}]
)
def test_other_callers_are_refused_in_plain_text(client, headers):
    response = client.get("/metrics", headers=headers)

    assert (response.status_code, response["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert response["Cache-Control"] == "no-store"
    assert "queue_length" not in response.text


@pytest.mark.django_db
@pytest.mark.parametrize(("is_staff", "status"), [(True, 200), (False, 403)])
def test_signed_in_staff_may_scrape(client, is_staff, status):
    user = User.objects.create_user("kim", is_staff=is_staff)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get("/metrics").status_code == status


def test_only_safe_methods_are_taken_and_head_has_no_body(client):
    head = client.head("/metrics", headers=BEARER)

    assert (head.status_code, head.content) == (200, b"")
    assert client.post("/metrics", headers=BEARER).status_code == 405


@pytest.mark.parametrize("broken", [RAISES, UNWRITABLE, f"{HERE}.missing"])
def test_a_source_that_fails_is_left_out_and_counted(client, settings, broken):
    settings.METRIC_SOURCES = [broken, FINE]
    scraped(client)
    found = scraped(client)

    assert found == {
        ("queue_length",): 3,
        ("metrics_source_errors_total", broken): 2,
        ("metrics_source_errors_total", FINE): 0,
    }


def test_a_missing_source_is_a_system_check_error(settings):
    settings.METRIC_SOURCES = [FINE, f"{HERE}.missing"]

    assert [error.id for error in metric_sources(None)] == ["healthcheck.E002"]
