"""The published schemas, the overall rule, and findings in two languages."""

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.utils import translation
from pydantic import ValidationError

from healthcheck.report import ComponentHealth, DetailedHealthResponse, Finding, overall, published_schema

SIX = ["database", "upbit_api", "gemini_api", "scheduler", "recent_signal", "recent_order"]


def component(name, status="healthy", **fields):
    return {"name": name, "status": status, "latency_ms": 1.5, "message": "fine"} | fields


def response(**fields):
    return {
        "status": "healthy",
        "timestamp": datetime(2026, 1, 24, 10, tzinfo=UTC),
        "version": "1.2.3",
        "components": [component(name) for name in SIX],
    } | fields


def test_the_six_components_are_configured_in_the_order_of_the_contract():
    assert [entry["name"] for entry in settings.HEALTH_PROBES] == SIX


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["healthy", "healthy"], "healthy"),
        (["healthy", "warning"], "degraded"),
        (["warning", "unhealthy"], "unhealthy"),
        (["healthy", "unhealthy"], "unhealthy"),
    ],
)
def test_any_unhealthy_component_wins_then_any_warning(statuses, expected):
    assert overall(statuses) == expected


def test_both_schemas_have_exactly_the_fields_of_the_contract():
    assert list(ComponentHealth.model_fields) == ["name", "status", "latency_ms", "message"]
    assert list(DetailedHealthResponse.model_fields) == ["status", "timestamp", "version", "components"]


@pytest.mark.parametrize(
    "fields", [{"status": "degraded"}, {"latency_ms": -0.1}, {"age_s": 3}, {"latency_ms": "fast"}]
)
def test_a_component_refuses_what_the_contract_does_not_know(fields):
    with pytest.raises(ValidationError):
        ComponentHealth.model_validate(component("database") | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "warning"},
        {"status": "degraded"},  # the components say healthy
        {"timestamp": datetime(2026, 1, 24, 10)},  # noqa: DTZ001 - that it is naive is the point
        {"components": [component(name) for name in SIX[:5]]},
        {"components": [component(name) for name in reversed(SIX)]},
        {"uptime": 3},
    ],
)
def test_a_response_refuses_what_the_contract_does_not_know(fields):
    with pytest.raises(ValidationError):
        DetailedHealthResponse.model_validate(response(**fields))


def test_a_response_with_the_six_components_is_valid():
    DetailedHealthResponse.model_validate(response())


def test_the_published_schema_spells_the_components_out():
    components = published_schema()["properties"]["components"]

    assert (components["minItems"], components["maxItems"]) == (len(SIX), len(SIX))
    assert [item["allOf"][1]["properties"]["name"]["const"] for item in components["prefixItems"]] == SIX


def test_a_finding_is_english_for_programs_and_translated_for_people():
    finding = Finding("warning", "%(count)d ago", count=3)

    with translation.override("ko"):
        assert finding.english == "3 ago"
        assert finding.text() == "3 ago"  # not in the catalogue


def test_a_sentence_without_values_may_hold_a_percent_sign():
    assert Finding("healthy", "100 % used").english == "100 % used"


@pytest.mark.parametrize(
    ("message", "params"), [("%(age)s ago", {"limit": 1}), ("%(count)d ago", {"count": "three"})]
)
def test_a_finding_whose_values_do_not_fit_is_refused_where_it_is_made(message, params):
    with pytest.raises((KeyError, TypeError)):
        Finding("healthy", message, **params)
