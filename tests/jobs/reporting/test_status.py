from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import NOON
from tradingsite.jobs.models import JobEvent, JobState, SchedulerHeartbeat
from tradingsite.jobs.probes import scheduler
from tradingsite.jobs.reporting.panel import jobs
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import registered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("still_clock")]


def ago(seconds):
    return Now() - timedelta(seconds=seconds)


def lead(*, since_s=0, silent_s=0):
    SchedulerHeartbeat.objects.take_over("trader-1", 4711)
    SchedulerHeartbeat.objects.update(acquired_at=ago(since_s), heartbeat_at=ago(silent_s))


def tick(name, seconds_ago):
    JobState.objects.register([name])
    JobState.objects.filter(job_name=name).update(last_tick=ago(seconds_ago), last_success_at=Now())


def found():
    finding = scheduler()
    return finding.status, finding.text()


def test_component_without_any_scheduler_is_unhealthy():
    assert found() == ("unhealthy", "no scheduler has ever run")


def test_scheduler_is_healthy_right_after_its_start():
    lead()

    status, text = found()

    assert status == "healthy"
    assert text.startswith(f"all {len(registered())} jobs are on time; trader-1 leads since 20")
    assert text.endswith(" UTC")


@pytest.mark.parametrize(("silent_s", "status"), [(14, "healthy"), (16, "unhealthy")])
def test_heartbeat_older_than_15_s_is_unhealthy(silent_s, status):
    lead(silent_s=silent_s)

    assert found()[0] == status


def test_dead_scheduler_is_reported_with_its_age_and_the_limit():
    lead(silent_s=60)

    assert found() == ("unhealthy", "the scheduler on trader-1 was last alive 60 s ago, limit 15 s")


def test_late_jobs_are_reported_with_their_lateness():
    lead(since_s=200)
    tick("collect_market_data", 40)
    tick("check_volatility", 35)

    assert found() == ("unhealthy", "late: collect_market_data +30 s")
    tick("check_volatility", 50)
    assert found() == ("unhealthy", "late: collect_market_data +30 s, check_volatility +20 s")


def test_job_that_never_ran_is_late_from_the_start_of_the_term():
    lead(since_s=16)

    assert found()[1] == "late: collect_market_data +6 s"


def test_ticks_before_the_present_term_do_not_count_as_late():
    lead(since_s=2)
    tick("collect_market_data", 4000)
    tick("cleanup_old_data", 90_000)

    assert found()[0] == "healthy"


def next_leader(name, *, last_tick_s, awaited_s):
    """Begin a new term: `name` ran `last_tick_s` ago, and some scheduler has led for `awaited_s`."""
    for other in registered():
        tick(other, 1)
    fact(name, last_tick=ago(last_tick_s), awaited_since=ago(awaited_s))
    lead()
    JobState.objects.await_ticks(registered())


def test_changes_of_leader_do_not_hide_a_late_job():
    next_leader("collect_market_data", last_tick_s=500, awaited_s=40)

    assert found() == ("unhealthy", "late: collect_market_data +30 s")


def test_new_leader_has_the_time_for_one_tick():
    next_leader("collect_market_data", last_tick_s=500, awaited_s=700)
    assert found()[0] == "healthy"
    next_leader("collect_market_data", last_tick_s=500, awaited_s=14)

    assert found()[0] == "healthy"


def test_changes_of_leader_do_not_hide_a_job_that_never_ran():
    lead()
    JobState.objects.register(registered())
    JobState.objects.await_ticks(registered())
    fact("collect_market_data", awaited_since=ago(16))
    for _ in range(3):
        lead()
        JobState.objects.await_ticks(registered())

    assert found()[1] == "late: collect_market_data +6 s"


def test_probe_does_not_use_the_clock_of_this_machine(monkeypatch):
    lead(since_s=5)
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=3650))

    assert found()[0] == "healthy"


def fact(name, **facts):
    JobState.objects.register([name])
    JobState.objects.filter(job_name=name).update(**facts)


@pytest.mark.parametrize(("lag_s", "status"), [(9, "healthy"), (11, "unhealthy")])
def test_loop_without_a_round_for_10_s_is_stuck(lag_s, status):
    lead(silent_s=8)
    SchedulerHeartbeat.objects.update(last_loop_at=ago(8 + lag_s))

    assert found()[0] == status


@pytest.mark.parametrize(("ran_s", "status"), [(7.5, "healthy"), (9, "unhealthy")])
def test_run_past_its_deadline_is_reported(ran_s, status):
    lead()
    fact("collect_market_data", running_since=ago(ran_s))

    assert found()[0] == status
    assert (found()[1] == "overrun: collect_market_data 9 s, limit 8 s") == (status == "unhealthy")


@pytest.mark.parametrize(
    ("name", "failures", "status"),
    [
        ("collect_market_data", 2, "healthy"),
        ("collect_market_data", 3, "unhealthy"),
        ("cleanup_old_data", 1, "unhealthy"),
    ],
)
def test_three_failures_are_failing_and_one_of_a_daily_job(name, failures, status):
    lead()
    fact(name, consecutive_failures=failures)

    assert found()[0] == status


@pytest.mark.parametrize(("age_s", "status"), [(29, "healthy"), (31, "unhealthy")])
def test_no_success_for_three_intervals_is_stale(age_s, status):
    lead(since_s=4000)
    for name in registered():
        tick(name, 1)
    fact("collect_market_data", last_success_at=ago(age_s))

    assert found()[0] == status


@pytest.mark.parametrize(("age_h", "status"), [(25, "healthy"), (27, "unhealthy")])
def test_daily_job_is_stale_after_26_hours(age_h, status):
    lead(since_s=100 * 3600)
    for name in registered():
        tick(name, 1)
    fact("cleanup_old_data", last_success_at=ago(age_h * 3600))

    assert found()[0] == status


def test_operators_pause_is_healthy_and_shows_its_reason():
    lead(since_s=15)
    tick("check_volatility", 1)
    fact("collect_market_data", paused=True, pause_reason="operator: rebuild", consecutive_failures=9)

    status, text = found()
    assert status == "healthy"
    assert "paused: collect_market_data (rebuild)" in text


@pytest.mark.parametrize(
    ("name", "status"), [("collect_market_data", "warning"), ("check_volatility", "unhealthy")]
)
def test_quarantine_is_a_warning_and_unhealthy_where_money_is_at_stake(name, status):
    lead()
    fact(name, paused=True, pause_reason="quarantine: ended its process 3 times")

    assert found() == (status, f"quarantined: {name} (ended its process 3 times)")


def test_resumed_job_is_not_late_for_the_pause():
    lead(since_s=16)
    tick("check_volatility", 1)
    assert found()[0] == "unhealthy"
    JobEvent.objects.create(job_name="collect_market_data", kind="resumed", by="ann")

    assert found()[0] == "healthy"


def test_several_problems_are_listed_worst_first():
    lead()
    fact("collect_market_data", running_since=ago(9), consecutive_failures=3)
    fact("check_volatility", consecutive_failures=4)
    fact("generate_trading_signal", paused=True, pause_reason="quarantine: ended its process 3 times")

    assert found() == (
        "unhealthy",
        "several problems: quarantined: generate_trading_signal (ended its process 3 times); "
        "overrun: collect_market_data 9 s, limit 8 s; failing: check_volatility 4 in a row",
    )


def test_single_failure_is_reported_and_healthy():
    lead()
    fact("check_volatility", last_success=False, consecutive_failures=1)
    assert found()[1].startswith("on time; failed: check_volatility; trader-1 leads since 20")

    fact("cleanup_old_data", paused=True, pause_reason="operator: rebuild")
    assert found()[0] == "healthy"
    assert found()[1].startswith(
        "on time; paused: cleanup_old_data (rebuild); failed: check_volatility; trader-1 leads"
    )


def test_panel_takes_a_bounded_number_of_queries(django_assert_max_num_queries):
    lead()
    for name in registered():
        tick(name, 1)
    with django_assert_max_num_queries(8):
        page()


def row(name):
    (found,) = [job for job in jobs()["jobs"] if job["name"] == name]
    return found


def page():
    return " ".join(render_to_string("status/jobs.html", jobs()).split())


def test_panel_shows_every_job_before_any_ran():
    assert [job["name"] for job in jobs()["jobs"]] == list(registered())
    facts = row("check_volatility")
    assert facts["every"] == timedelta(seconds=30)
    assert facts["strip"]["marks"] == []
    nothing = ("ran_at", "duration_ms", "state_for", "next_run_at", "p50_ms", "success_rate_pct")
    assert {facts[name] for name in nothing} == {None}
    assert page().count("not run yet") == len(registered())
    assert "No scheduler has ever run." in page()


def test_panel_shows_the_last_run_and_the_next():
    lead()
    JobState.objects.register(["check_volatility"])
    JobState.objects.record(RunResult("check_volatility", NOON, 1234.5, counts={"markets": 1}))
    DjangoJob.objects.create(id="check_volatility", next_run_time=NOON + timedelta(days=36500), job_state=b"")

    shown = row("check_volatility")

    assert timedelta(seconds=1.2) < shown["ran_ago"] < timedelta(seconds=60)
    assert (shown["duration_ms"], shown["counts"]) == (1234.5, {"markets": 1})
    assert shown["next_run_in"] > timedelta(days=3650)
    assert "succeeded" in page()
    assert "1234.5 ms" in page()
    assert "every 30 s" in page()


def test_panel_shows_failures_current_runs_and_lateness():
    lead(since_s=60)
    for _ in range(2):
        JobState.objects.register(["check_volatility", "cleanup_old_data"])
        JobState.objects.record(RunResult("check_volatility", None, 1, error="Unreachable: <no answer>"))
    JobState.objects.filter(job_name="check_volatility").update(last_tick=ago(10))
    JobState.objects.filter(job_name="cleanup_old_data").update(running_since=ago(3), last_tick=ago(3))
    DjangoJob.objects.create(id="check_volatility", next_run_time=NOON, job_state=b"")

    assert row("check_volatility")["failures"] == 2
    text = page()
    assert "2 in a row" in text
    assert ">late<" in text.replace(" ", "")
    assert ">50 s<" in text
    assert "Unreachable: &lt;no answer&gt;" in text
    assert ">due<" in text.replace(" ", "")
    assert "running" in text


def test_panel_says_when_the_scheduler_is_dead():
    lead(silent_s=131)

    assert "The scheduler on trader-1 was last alive 2 min 11 s ago." in page()
