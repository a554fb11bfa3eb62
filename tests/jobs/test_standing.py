from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import NOON
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.outcome import Outcome
from tradingsite.jobs.panel import jobs
from tradingsite.jobs.probes import scheduler
from tradingsite.jobs.schedule import registered

pytestmark = pytest.mark.django_db


def ago(seconds):
    return Now() - timedelta(seconds=seconds)


def lead(*, since_s=0, silent_s=0):
    SchedulerHeartbeat.objects.take_over("trader-1", 4711)
    SchedulerHeartbeat.objects.update(acquired_at=ago(since_s), heartbeat_at=ago(silent_s))


def tick(name, seconds_ago):
    JobState.objects.register([name])
    JobState.objects.filter(job_name=name).update(last_tick=ago(seconds_ago))


def found():
    finding = scheduler()
    return finding.status, finding.text()


def test_where_no_scheduler_ever_ran_the_component_is_unhealthy():
    assert found() == ("unhealthy", "no scheduler has ever run")


def test_right_after_its_start_a_scheduler_is_healthy_though_nothing_was_due():
    lead()

    status, text = found()

    assert status == "healthy"
    assert text.startswith("all 5 jobs are on time; trader-1 leads since 20")
    assert text.endswith(" UTC")


@pytest.mark.parametrize(("silent_s", "status"), [(14, "healthy"), (16, "unhealthy")])
def test_a_heartbeat_older_than_15_s_means_dead(silent_s, status):
    lead(silent_s=silent_s)

    assert found()[0] == status


def test_a_dead_scheduler_is_told_with_its_age_and_the_limit():
    lead(silent_s=60)

    assert found() == ("unhealthy", "the scheduler on trader-1 was last alive 60 s ago, limit 15 s")


def test_late_jobs_are_told_with_how_late_they_are():
    lead(since_s=200)
    tick("collect_market_data", 40)
    tick("check_volatility", 35)

    assert found() == ("unhealthy", "late: collect_market_data +30 s")
    tick("check_volatility", 50)
    assert found() == ("unhealthy", "late: collect_market_data +30 s, check_volatility +20 s")


def test_a_job_that_never_ran_counts_from_when_the_scheduler_began_to_lead():
    lead(since_s=16)

    assert found()[1] == "late: collect_market_data +6 s"


def test_what_nobody_ran_before_the_present_leader_is_not_late():
    lead(since_s=2)
    tick("collect_market_data", 4000)
    tick("cleanup_old_data", 90_000)

    assert found()[0] == "healthy"


def test_the_probe_is_the_same_whatever_this_machine_s_clock_says(monkeypatch):
    lead(since_s=5)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=3650))

    assert found()[0] == "healthy"


def row(name):
    (found,) = [job for job in jobs()["jobs"] if job["name"] == name]
    return found


def page():
    return " ".join(render_to_string("status/jobs.html", jobs()).split())


def test_the_panel_shows_every_job_before_any_ran():
    assert [job["name"] for job in jobs()["jobs"]] == list(registered())
    assert row("check_volatility") == {
        "name": "check_volatility",
        "every": timedelta(seconds=30),
        "ran_at": None,
        "ran_ago": None,
        "duration_ms": None,
        "success": None,
        "error": "",
        "counts": {},
        "failures": 0,
        "running_for": None,
        "next_run_at": None,
        "next_run_in": None,
        "late_by": None,
    }
    assert page().count("not run yet") == 5
    assert "No scheduler has ever run." in page()


def test_the_panel_shows_the_last_run_and_the_next():
    lead()
    JobState.objects.register(["check_volatility"])
    JobState.objects.record(Outcome("check_volatility", NOON, 1234.5, counts={"markets": 1}))
    DjangoJob.objects.create(id="check_volatility", next_run_time=NOON + timedelta(days=36500), job_state=b"")

    shown = row("check_volatility")

    assert timedelta(seconds=1.2) < shown["ran_ago"] < timedelta(seconds=10)
    assert (shown["duration_ms"], shown["success"], shown["counts"]) == (1234.5, True, {"markets": 1})
    assert shown["next_run_in"] > timedelta(days=3650)
    assert "succeeded" in page()
    assert "1234.5 ms" in page()
    assert "every 30 s" in page()


def test_the_panel_shows_failures_runs_under_way_and_what_is_late():
    lead(since_s=60)
    for _ in range(2):
        JobState.objects.register(["check_volatility", "cleanup_old_data"])
        JobState.objects.record(Outcome("check_volatility", None, 1, error="Unreachable: <no answer>"))
    JobState.objects.filter(job_name="check_volatility").update(last_tick=ago(10))
    JobState.objects.filter(job_name="cleanup_old_data").update(running_since=ago(3), last_tick=ago(3))
    DjangoJob.objects.create(id="check_volatility", next_run_time=NOON, job_state=b"")

    assert row("check_volatility")["failures"] == 2
    text = page()
    assert "failed 2 times" in text
    assert "Unreachable: &lt;no answer&gt;" in text
    assert ">due<" in text.replace(" ", "")
    assert "running" in text
    assert "50 s late" in text


def test_the_panel_says_so_when_the_scheduler_is_dead():
    lead(silent_s=131)

    assert "The scheduler on trader-1 was last alive 2 min 11 s ago." in page()
