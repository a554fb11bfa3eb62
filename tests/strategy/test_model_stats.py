"""The model's health from the trader's own calls; no check pays for one (D13)."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from tests.marketdata.exchange import exchange
from tests.strategy.market import MARKET, TICK
from tradingsite.strategy import model_stats, probes
from tradingsite.strategy.models import ModelCall

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patient_probes")]

MODEL = "gemini-3.5-flash-lite"


@pytest.fixture(autouse=True)
def host(settings):
    """A host that knows the model and records its requests."""
    settings.GEMINI_API_KEY = "test-key"
    known = {"name": f"models/{MODEL}", "supportedGenerationMethods": ["generateContent"]}
    with exchange(lambda *_: (200, known)) as serving:
        settings.GEMINI_URL = serving.url
        yield serving


def call(minutes_ago, **facts):
    """Create a call that ended `minutes_ago`."""
    values = {"market": MARKET, "tick": TICK, "started_at": TICK, "model_asked": MODEL, "latency_ms": 1800.0}
    row = ModelCall.objects.create(**values | facts)
    at = Now() - timedelta(minutes=minutes_ago)
    ModelCall.objects.filter(pk=row.pk).update(started_at=at, ended_at=at)


def found():
    finding = probes.gemini_api()
    return finding.status, finding.english


def test_recent_answer_is_healthy_without_a_request(host):
    call(50, error_kind="overloaded")
    call(20)

    assert found() == ("healthy", f"{MODEL} answered 20 min ago in 1.8 s, 1 of its last 2 calls")
    assert host.paths == []


@pytest.mark.parametrize("minutes", [36, 500])
def test_old_answer_does_not_count(host, minutes):
    call(minutes)

    assert found() == ("healthy", f"{MODEL} is available")
    assert host.paths == [f"/v1beta/models/{MODEL}"]


def test_answer_of_another_model_does_not_count(host):
    call(5, model_asked="gemini-2.0-pro")

    assert found() == ("healthy", f"{MODEL} is available")


def test_failed_call_leads_to_a_free_metadata_request(host):
    call(20)
    call(5, error_kind="overloaded")

    assert found() == ("healthy", f"{MODEL} is available")
    assert host.paths == [f"/v1beta/models/{MODEL}"]


def test_available_model_whose_calls_fail_is_a_warning():
    """The metadata request alone does not show it."""
    call(20, error_kind="overloaded")
    call(5, error_kind="blocked")

    assert found() == (
        "warning", f"{MODEL} is available, but its last 2 calls failed, the newest by blocked"
    )  # fmt: skip


def test_used_up_quota_is_a_warning_without_a_request(host):
    end = timezone.now() + timedelta(hours=3)
    call(5, error_kind="quota", not_before=end)

    assert found() == ("warning", f"Gemini's quota is used up until {end:%H:%M:%S} UTC")
    assert host.paths == []


def test_facts_have_the_last_calls_and_zero_probe_tokens(django_assert_num_queries):
    assert {fact.name: fact.value for fact in model_stats.facts()} == {"probe_tokens": 0}
    call(50, error_kind="overloaded")
    call(20)

    with django_assert_num_queries(2):
        facts = {fact.name: fact.value for fact in model_stats.facts()}

    assert (facts["model"], facts["answered"], facts["last_failure_kind"]) == (MODEL, "1/2", "overloaded")
    assert (facts["last_latency_ms"], facts["quota_until"], facts["probe_tokens"]) == (1800.0, None, 0)
