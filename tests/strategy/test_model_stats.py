"""The model judged by the calls that the trader paid for; no check ever pays for one (D13)."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from tests.marketdata.exchange import exchange
from tests.strategy.market import MARKET, TICK
from tradingsite.strategy import model_stats, probes
from tradingsite.strategy.models import ModelCall

pytestmark = pytest.mark.django_db

MODEL = "gemini-3.5-flash-lite"


@pytest.fixture(autouse=True)
def host(settings):
    """A host that knows the model and tells what it was asked."""
    settings.GEMINI_API_KEY = "test-key"
    known = {"name": f"models/{MODEL}", "supportedGenerationMethods": ["generateContent"]}
    with exchange(lambda *_: (200, known)) as serving:
        settings.GEMINI_URL = serving.url
        yield serving


def call(minutes_ago, **facts):
    """Write a call that ended so long ago."""
    values = {"market": MARKET, "tick": TICK, "started_at": TICK, "model_asked": MODEL, "latency_ms": 1800.0}
    row = ModelCall.objects.create(**values | facts)
    at = Now() - timedelta(minutes=minutes_ago)
    ModelCall.objects.filter(pk=row.pk).update(started_at=at, ended_at=at)


def found():
    finding = probes.gemini_api()
    return finding.status, finding.english


def test_a_model_that_answered_lately_is_healthy_and_nothing_is_asked(host):
    call(50, error_kind="overloaded")
    call(20)

    assert found() == ("healthy", f"{MODEL} answered 20 min ago in 1.8 s, 1 of its last 2 calls")
    assert host.paths == []


@pytest.mark.parametrize("minutes", [36, 500])
def test_an_old_answer_is_no_evidence(host, minutes):
    call(minutes)

    assert found() == ("healthy", f"{MODEL} is available")
    assert host.paths == [f"/v1beta/models/{MODEL}"]


def test_another_models_answer_is_no_evidence(host):
    call(5, model_asked="gemini-2.0-pro")

    assert found() == ("healthy", f"{MODEL} is available")


def test_a_failure_is_looked_into_for_free(host):
    call(20)
    call(5, error_kind="overloaded")

    assert found() == ("healthy", f"{MODEL} is available")
    assert host.paths == [f"/v1beta/models/{MODEL}"]


def test_a_model_that_is_there_and_fails_is_a_warning():
    """A ping would see nothing of it."""
    call(20, error_kind="overloaded")
    call(5, error_kind="blocked")

    assert found() == (
        "warning", f"{MODEL} is available, but its last 2 calls failed, the newest by blocked"
    )  # fmt: skip


def test_a_quota_is_told_with_its_end_and_nothing_is_asked(host):
    end = timezone.now() + timedelta(hours=3)
    call(5, error_kind="quota", not_before=end)

    assert found() == ("warning", f"Gemini's quota is used up until {end:%H:%M:%S} UTC")
    assert host.paths == []


def test_the_facts_tell_the_last_calls_and_that_the_check_costs_nothing(django_assert_num_queries):
    assert {fact.name: fact.value for fact in model_stats.facts()} == {"probe_tokens": 0}
    call(50, error_kind="overloaded")
    call(20)

    with django_assert_num_queries(2):
        facts = {fact.name: fact.value for fact in model_stats.facts()}

    assert (facts["model"], facts["answered"], facts["last_failure_kind"]) == (MODEL, "1/2", "overloaded")
    assert (facts["last_latency_ms"], facts["quota_until"], facts["probe_tokens"]) == (1800.0, None, 0)
