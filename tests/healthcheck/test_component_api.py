"""One component's address, its schema, and health among the metrics (docs/health.md, 15)."""

import re

import pytest
from django.utils import timezone
from django.utils.translation import gettext_lazy
from jsonschema import Draft202012Validator

from healthcheck.models import HealthState, HealthTransition
from healthcheck.report import Fact
from tests.healthcheck.conftest import BEARER

pytestmark = pytest.mark.usefixtures("site")

ADDRESS = "/api/v1/health/components/upbit_api"


@pytest.fixture
def past(db):
    now = timezone.now()
    HealthState.objects.create(
        component="upbit_api",
        status="unhealthy",
        since=now,
        seen_at=now,
        last_error="no answer within %(s)s s",
        last_error_params={"s": 4},
        last_error_at=now,
    )
    HealthTransition.objects.create(
        component="upbit_api", at=now, before="healthy", after="unhealthy", message="broken", version="1.2.3"
    )
    return now


def test_the_answer_has_state_and_history_and_fits_the_schema(client, site, past):
    site(upbit_api="tests.healthcheck.samples.warns")

    response = client.get(ADDRESS, headers=BEARER)

    found = response.json()
    schema = client.get("/api/v1/health/schema/component").json()
    Draft202012Validator(schema).validate(found)
    assert (response.status_code, found["status"], found["judged"]) == (200, "warning", True)
    assert found["history"]["last_error"] == "no answer within 4 s"
    (change,) = found["history"]["transitions"]
    assert (change["after"], change["message"], change["lasted_s"]) == ("unhealthy", "broken", None)


def test_an_unhealthy_component_is_a_503(client, site, db):
    site(upbit_api="tests.healthcheck.samples.crashes")

    assert client.get(ADDRESS, headers=BEARER).status_code == 503


def test_anonymous_callers_are_refused_and_an_unknown_name_lists_the_known(client, db):
    assert client.get(ADDRESS).status_code == 403
    response = client.get("/api/v1/health/components/upbit", headers=BEARER)
    assert response.status_code == 404
    assert "unknown: upbit; existing components: database, upbit_api" in response.json()["error"]


def test_without_a_database_there_is_no_past_and_an_answer(client, site, settings):
    site(database="tests.healthcheck.samples.crashes")

    found = client.get(ADDRESS, headers=BEARER).json()

    assert (found["status"], found["history"]) == ("healthy", None)


def test_health_is_among_the_metrics(client, site, settings, past):
    settings.METRIC_SOURCES = ["healthcheck.openmetrics.families"]
    settings.HEALTH_ABILITIES = [{"name": "decide", "label": "Decide", "needs": ("gemini_api",)}]
    site(gemini_api="tests.healthcheck.samples.crashes")

    text = client.get("/metrics", headers=BEARER).content.decode()

    assert 'health_component_state{component="gemini_api",state="unhealthy"} 1.0' in text
    assert 'health_component_state{component="gemini_api",state="healthy"} 0.0' in text
    assert 'health_ability{ability="decide",answer="no"} 1.0' in text
    assert 'health_component_age_seconds{component="database"}' in text
    assert 'health_component_latency_seconds{component="database"}' in text
    (since,) = re.findall(r'health_component_since_timestamp_seconds\{component="upbit_api"\} (\S+)', text)
    assert float(since) == pytest.approx(past.timestamp(), abs=0.001)
    assert 'metrics_source_errors_total{source="healthcheck.openmetrics.families"} 0.0' in text


def some_facts():
    return [
        Fact("calls", gettext_lazy("calls"), 7),
        Fact("last_at", gettext_lazy("last"), timezone.now()),
        Fact("none", "none", None),
    ]


@pytest.mark.django_db(transaction=True)
def test_the_answer_has_the_evidence(client, settings):
    settings.HEALTH_PROBES = [
        {
            **entry,
            "evidence": "tests.healthcheck.test_component_api.some_facts"
            if entry["name"] == "upbit_api"
            else "",
        }
        for entry in settings.HEALTH_PROBES
    ]

    facts = client.get(ADDRESS, headers=BEARER).json()["evidence"]

    assert [(fact["name"], fact["label"]) for fact in facts] == [
        ("calls", "calls"),
        ("last_at", "last"),
        ("none", "none"),
    ]
    assert (facts[0]["value"], facts[2]["value"]) == (7, None)
    assert facts[1]["value"].endswith("Z")
    assert client.get(ADDRESS.replace("upbit_api", "scheduler"), headers=BEARER).json()["evidence"] == []
