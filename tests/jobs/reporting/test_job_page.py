"""One job's page: its purpose, its state, its last runs, and what to do (docs/health.md, 27)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from tests.healthcheck.databases import unreachable
from tradingsite.jobs import control
from tradingsite.jobs.models import JobEvent, JobState, SchedulerHeartbeat
from tradingsite.jobs.records import rollup
from tradingsite.jobs.reporting.run_list import last_runs
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import registered

ADDRESS = "/status/jobs/generate_trading_signal/"
NAME = "generate_trading_signal"
HOSTILE = "<script>alert(1)</script>"
BACKEND = "django.contrib.auth.backends.ModelBackend"
SINCE = Now() - timedelta(hours=4)
BEARER = {"Authorization": "Bearer a-token-for-monitors"}


@pytest.fixture(autouse=True)
def site(settings):
    """Only the database is probed, and it is healthy."""
    settings.HEALTH_TOKEN = "a-token-for-monitors"
    settings.HEALTH_ABILITIES = []
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.fine", "ttl_s": 60}]


@pytest.fixture
def desk(client, db):
    """A client signed in as staff."""
    client.force_login(User.objects.create_user("kim", is_staff=True), backend=BACKEND)
    return client


@pytest.fixture
def job():
    return registered()[NAME]


def ran(tick, error=None, duration="1.50", name=NAME):
    DjangoJob.objects.get_or_create(id=name, defaults={"job_state": b""})
    return DjangoJobExecution.objects.create(
        job_id=name,
        run_time=tick,
        status="Error!" if error else "Executed",
        duration=Decimal(duration),
        exception=error,
    )


def text_of(response):
    return " ".join(response.content.decode().split())


def test_page_shows_timetable_reason_runs_and_what_to_do(desk, job):
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    JobState.objects.register([NAME])
    tick = job.trigger.floor(timezone.now())
    rollup.note(NAME, "ok", 1500.0, 40.0, timezone.now())
    rollup.flush()
    JobState.objects.record(RunResult(NAME, tick, 1500.0, error=f"Unreachable: {HOSTILE}"))
    ran(tick, f"Unreachable: {HOSTILE}")

    response = desk.get(ADDRESS)
    text = text_of(response)

    assert response.status_code == 200
    assert "12 s past the half hour" in text
    assert "<dd> 30 min </dd>" in text
    assert "1.50 s" in text
    assert HOSTILE not in text
    assert "Unreachable: &lt;script&gt;" in text
    assert "What it means, what to do" in text
    assert '<h3> Failed <span class="tag">now</span>' in text
    assert f'href="/admin/jobs/jobstate/{NAME}/change/"' in text
    assert "100.0" in text  # per cent


def test_page_shows_who_paused_the_job_and_why(desk):
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    control.pause(NAME, f"maintenance {HOSTILE}", "ann")

    text = text_of(desk.get(ADDRESS))

    assert "paused by ann" in text
    assert "maintenance &lt;script&gt;" in text
    assert "operator: " not in text
    assert '<h3> Paused <span class="tag">now</span>' in text
    assert "<strong>paused</strong>" in text


def test_job_that_never_ran_has_a_page(desk):
    text = text_of(desk.get(ADDRESS))

    assert "not run yet" in text
    assert "No run is on record." in text


def test_last_runs_merge_kept_runs_and_recent_outcomes(db, job):
    tick = job.trigger.floor(timezone.now())
    ticks = [tick - ago * job.every for ago in range(4)]
    ran(ticks[1], "aborted: its process has ended")
    ran(ticks[3])
    recent = [{"tick": each.isoformat(), "outcome": "ok"} for each in ticks[:3]]
    state = JobState.objects.create(job_name=NAME, recent=[*recent, {"tick": None, "outcome": "ok"}])

    runs = last_runs(job, state)

    assert [(run.tick, run.outcome, run.duration_s) for run in runs] == [
        (ticks[0], "ok", None),
        (ticks[1], "aborted", 1.5),
        (ticks[2], "ok", None),
        (ticks[3], "ok", 1.5),
    ]


def test_requested_run_shows_who_requested_it(db, job):
    tick = job.trigger.floor(timezone.now()) - job.every
    requested = tick + timedelta(minutes=7)
    for at, by in ((requested + timedelta(milliseconds=4), "ann"), (requested - timedelta(days=1), "bob")):
        JobEvent.objects.create(job_name=NAME, kind="run_requested", by=by, at=at)
    JobEvent.objects.create(job_name="check_volatility", kind="run_requested", by="eve", at=requested)
    caught_up = tick + timedelta(minutes=20)
    for each in (tick, requested, caught_up):
        ran(each)

    assert [(run.tick, run.requested_by) for run in last_runs(job, None)] == [
        (caught_up, ""),
        (requested, "ann"),
        (tick, ""),
    ]


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({"paused": True, "pause_reason": "quarantine: 3 times"}, "Quarantined"),
        ({"paused": True, "pause_reason": "operator: lunch", "last_success": False}, "Paused"),
        ({"running_since": SINCE}, "Overrun"),
        ({"last_tick": SINCE}, "Late"),
        ({"last_success": False}, "Failed"),
        ({"last_success": False, "consecutive_failures": 3}, "Failed"),
        ({"last_success": True, "last_success_at": SINCE}, "Failed"),
        ({"last_success": True}, "All is well"),
        ({}, "All is well"),
    ],
)
def test_runbook_part_matches_the_state(desk, facts, part):
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    SchedulerHeartbeat.objects.update(acquired_at=SINCE)
    JobState.objects.create(job_name=NAME, **{"last_tick": Now(), "last_success_at": Now(), **facts})

    assert f'<h3> {part} <span class="tag">now</span>' in text_of(desk.get(ADDRESS))


def test_page_needs_a_sign_in_and_an_unknown_job_is_a_404(client, db):
    response = client.get(ADDRESS)

    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={ADDRESS}")
    assert client.get(ADDRESS, headers=BEARER).status_code == 200
    unknown = client.get(f"/status/jobs/{HOSTILE[:8]}/", headers=BEARER)
    assert unknown.status_code == 404
    assert HOSTILE[:8] not in text_of(unknown)
    assert f'href="{ADDRESS}"' in text_of(unknown)


def test_number_of_queries_does_not_grow_with_the_history(desk, job, django_assert_max_num_queries):
    desk.get(ADDRESS)
    tick = job.trigger.floor(timezone.now())
    DjangoJob.objects.create(id=NAME, job_state=b"")
    DjangoJobExecution.objects.bulk_create(
        DjangoJobExecution(job_id=NAME, run_time=tick - ago * job.every, status="Executed", duration=1)
        for ago in range(300)
    )
    JobEvent.objects.bulk_create(JobEvent(job_name=NAME, kind="run_requested", by="ann") for _ in range(300))

    with django_assert_max_num_queries(14):
        text = text_of(desk.get(ADDRESS))

    assert text.count("1.00 s") == 50


@pytest.mark.django_db(transaction=True)
def test_page_without_a_database_shows_what_needs_none(client, tmp_path):
    assert client.get(ADDRESS, headers=BEARER).status_code == 200

    with unreachable(tmp_path):
        text = text_of(client.get(ADDRESS, headers=BEARER))

    assert "The history cannot be read: the database does not answer." in text
    assert "12 s past the half hour" in text
    assert "What it means, what to do" in text
