"""One component's page: who sees it, and what it says, also without a database (docs/health.md, 27)."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone

from healthcheck.models import HealthHour, HealthSample, HealthState, HealthTransition
from healthcheck.report import Fact, Finding
from tests.healthcheck import samples
from tests.healthcheck.conftest import BACKEND, BEARER, TOKEN
from tests.healthcheck.databases import frozen, unreachable
from tests.healthcheck.imposing import impose

ADDRESS = "/status/components/upbit_api/"
HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture
def desk(client, db):
    """A client signed in as staff."""
    client.force_login(User.objects.create_user("kim", is_staff=True), backend=BACKEND)
    return client


def plant(days=3, changes=2):
    now = timezone.now().replace(second=0, microsecond=0)
    facts = {"last_error": f"no answer to {HOSTILE}", "last_error_at": now, "last_good_at": now}
    since = now - timedelta(hours=2)
    HealthState.objects.create(component="upbit_api", status="healthy", since=since, seen_at=now, **facts)
    HealthHour.objects.bulk_create(
        HealthHour(component="upbit_api", hour=now - timedelta(days=ago), healthy=40, unhealthy=20)
        for ago in range(days)
    )
    HealthSample.objects.bulk_create(
        HealthSample(
            component="upbit_api",
            at=now - timedelta(minutes=ago),
            status="healthy",
            judged=True,
            paused=False,
            latency_ms=10 + ago,
        )
        for ago in range(20 * days)
    )
    HealthTransition.objects.bulk_create(
        HealthTransition(
            component="upbit_api",
            at=now - timedelta(hours=ago),
            before="unhealthy" if ago % 2 else "healthy",
            after="healthy" if ago % 2 else "unhealthy",
            message=f"change {ago} {HOSTILE}",
        )
        for ago in range(changes)
    )


def text_of(response):
    return response.content.decode()


def test_staff_see_state_history_changes_and_advice(desk, site):
    site(upbit_api="tests.healthcheck.samples.warns")
    plant()

    response = desk.get(ADDRESS)
    text = text_of(response)

    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "late by 90 s, limit 60 s" in text
    assert "Warning" in text
    assert "on record as Healthy for 2 h" in text
    assert "66.67" in text
    assert "The last 24 hours: from " in text
    assert text.count("40 min") == 0
    assert text.count("20 min") == 3  # unhealthy minutes of each of the three days
    assert f'href="/status/transitions/{HealthTransition.objects.latest("at").pk}/"' in text
    assert "What it means, what to do" in text
    assert "Upbit" in text


def test_messages_are_escaped(desk):
    plant()

    text = text_of(desk.get(ADDRESS))

    assert HOSTILE not in text
    assert text.count("&lt;script&gt;") == 3


def test_others_are_sent_to_sign_in_and_come_back(client, db):
    response = client.get(f"{ADDRESS}?x=1")

    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={ADDRESS}%3Fx%3D1")
    client.force_login(User.objects.create_user("guest"), backend=BACKEND)
    assert client.get(ADDRESS).status_code == 302


def test_the_token_opens_it_too_and_only_safe_methods_are_taken(client, db):
    assert client.get(ADDRESS, headers=BEARER).status_code == 200
    assert client.get(ADDRESS, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 302
    assert client.post(ADDRESS, headers=BEARER).status_code == 405


def test_an_unknown_name_is_answered_with_those_that_are_known(desk):
    response = desk.get("/status/components/upbit/")

    assert response.status_code == 404
    assert 'href="/status/components/upbit_api/"' in text_of(response)


def test_evidence_is_shown_and_a_failing_one_breaks_no_page(desk, settings, monkeypatch):
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    facts = [Fact("at", "Last success", at), Fact("n", "Calls", 7), Fact("ok", "Limited", False)]
    fact_lists = iter([facts, [Fact("x", "Broken", HOSTILE)]])
    monkeypatch.setattr(samples, "facts", lambda: next(fact_lists), raising=False)
    settings.HEALTH_PROBES = [
        {**entry, "evidence": "tests.healthcheck.samples.facts"} for entry in settings.HEALTH_PROBES
    ]

    text = text_of(desk.get(ADDRESS))
    assert "2026-11-23 08:30:00 KST" in text
    assert "<dt>Calls</dt>" in text
    assert HOSTILE not in text_of(desk.get(ADDRESS))
    assert desk.get(ADDRESS).status_code == 200  # `next` raises now


def test_the_number_of_queries_does_not_grow_with_the_history(desk, django_assert_max_num_queries):
    desk.get(ADDRESS)  # the engine measures
    with django_assert_max_num_queries(10):
        desk.get(ADDRESS)
    plant(days=60, changes=400)
    with django_assert_max_num_queries(10):
        text = text_of(desk.get(ADDRESS))
    assert text.count('href="/status/transitions/') < 30


def test_while_the_database_is_down_staff_get_a_notice_and_the_token_opens_the_page(client, site):
    site(database="tests.healthcheck.samples.crashes")

    nobody, bearer = client.get(ADDRESS), client.get(ADDRESS, headers=BEARER)

    assert (nobody.status_code, bearer.status_code) == (503, 200)
    assert "Signing in is not possible" in text_of(nobody)
    assert "The history cannot be read: the database does not answer." in text_of(bearer)
    assert "What it means, what to do" in text_of(bearer)


def test_an_unjudged_component_links_to_its_failed_dependency(client, db, settings):
    settings.HEALTH_PROBES = [
        {"name": "database", "probe": "tests.healthcheck.samples.fine"},
        {"name": "scheduler", "label": "Scheduler", "probe": "tests.healthcheck.samples.crashes"},
        {"name": "upbit_api", "probe": "tests.healthcheck.samples.fine", "needs": ("scheduler",)},
    ]

    text = text_of(client.get(ADDRESS, headers=BEARER))

    assert '<a href="/status/components/scheduler/">Scheduler</a>' in text
    assert '<span class="tag">now</span>' not in text


@pytest.mark.django_db(transaction=True)
def test_a_database_that_just_became_unreachable_delays_no_page(staff, tmp_path):
    assert staff.get(ADDRESS).status_code == 200  # the database is known to be well for a minute

    with unreachable(tmp_path):
        signed_in, bearer = staff.get(ADDRESS), staff.get(ADDRESS, headers=BEARER)

    assert signed_in.status_code == 503
    assert "Signing in is not possible" in text_of(signed_in)
    assert "The history cannot be read" in text_of(bearer)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_just_froze_delays_no_page(staff):
    assert staff.get(ADDRESS).status_code == 200  # the database is known to be well for a minute

    with frozen():
        began = time.monotonic()
        bearer = staff.get(ADDRESS, headers=BEARER)
        signed_in = staff.get(ADDRESS)
        took_s = time.monotonic() - began

    assert "The history cannot be read" in text_of(bearer)
    assert (bearer.status_code, signed_in.status_code) == (200, 503)
    assert took_s < 30  # or it would wait for ever


@pytest.mark.django_db(transaction=True)
def test_an_override_is_shown_with_author_and_reason(staff):
    impose("fail", "upbit_api")

    text = text_of(staff.get(ADDRESS))

    assert '<span class="imposed rehearsal">Rehearsal</span>' in text
    assert "REHEARSAL until " in text
    assert "(kim): new disks" in text


@pytest.mark.django_db(transaction=True)
def test_a_rehearsed_failure_of_the_database_still_lets_staff_in(staff):
    impose("fail", "database")

    response = staff.get(ADDRESS.replace("upbit_api", "database"))

    assert response.status_code == 200
    assert "(kim): new disks" in text_of(response)


@pytest.mark.django_db(transaction=True)
def test_evidence_without_a_database_gives_a_notice(staff, settings, monkeypatch):
    def facts():
        raise OperationalError("gone")

    monkeypatch.setattr(samples, "facts", facts, raising=False)
    settings.HEALTH_PROBES = [
        {**entry, "evidence": "tests.healthcheck.samples.facts"} for entry in settings.HEALTH_PROBES
    ]

    text = text_of(staff.get(ADDRESS))

    assert "The evidence cannot be read: the database does not answer." in text
    assert "Nothing was measured in the last 24 hours." in text


def test_a_component_without_history_has_a_page(desk, monkeypatch, site):
    monkeypatch.setattr(samples, "odd", lambda: Finding("unhealthy", HOSTILE), raising=False)
    site(upbit_api="tests.healthcheck.samples.odd")

    text = text_of(desk.get(ADDRESS))

    assert HOSTILE not in text
    assert "No change of state is on record." in text
    assert "Nothing was measured in the last 24 hours." in text
