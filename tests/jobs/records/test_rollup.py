import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.jobs.reporting.test_status import lead
from tradingsite.jobs.metrics import families
from tradingsite.jobs.models import JobHour, JobState, SchedulerProcess
from tradingsite.jobs.records import rollup
from tradingsite.jobs.records.last_day import Histogram, last_day, totals
from tradingsite.jobs.reporting.panel import one
from tradingsite.jobs.timetable import registered

NAME = "collect_market_data"
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def nothing_counted():
    rollup._hours.clear()
    yield
    rollup._hours.clear()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pct", [50, 95, 99])
def test_percentiles_are_within_5_percent_of_the_exact_ones(seed, pct):
    rng = random.Random(seed)  # noqa: S311 - data, not secrets
    times = sorted(rng.lognormvariate(3, 2) for _ in range(5000))
    histogram = Histogram()
    for time_ms in times:
        histogram.add(time_ms)

    exact = times[len(times) * pct // 100 - 1]
    assert Histogram(histogram.as_json()).percentile_ms(pct) == pytest.approx(exact, rel=0.05)
    assert len(histogram.as_json()) < 200


def test_empty_histogram_has_no_percentile_and_zero_counts_as_zero():
    histogram = Histogram()
    assert histogram.percentile_ms(50) is None

    histogram.add(0)
    histogram.add(-3)
    assert histogram.percentile_ms(99) == 0.0


def count(*kinds, at=NOW, ms=100.0):
    for kind in kinds:
        rollup.note(NAME, kind, ms, 5.0 if kind in {"ok", "failed"} else None, at)


@pytest.mark.django_db
def test_flush_is_one_statement_and_two_leaders_add_up(django_assert_num_queries):
    count("ok", "ok", "failed", "skipped", "aborted")
    rollup.note("check_volatility", "ok", 3, 1, NOW)
    with django_assert_num_queries(1):
        rollup.flush()
    count("ok", ms=1000.0)
    rollup.flush()

    hour = JobHour.objects.get(job_name=NAME)
    assert (hour.runs, hour.failures, hour.skipped, hour.aborted) == (4, 1, 1, 1)
    assert sorted(hour.duration_histogram.values()) == [1, 3]
    assert list(hour.lateness_histogram.values()) == [4]
    assert JobHour.objects.count() == 2


@pytest.mark.django_db
def test_flush_without_counts_sends_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        rollup.flush()


@pytest.mark.django_db
def test_failed_flush_keeps_its_counts_for_the_next():
    count("ok")
    with connection.execute_wrapper(_refused), pytest.raises(ConnectionError):
        rollup.flush()
    count("failed")
    rollup.flush()

    assert JobHour.objects.values_list("runs", "failures").get() == (2, 1)


def _refused(*_):
    raise ConnectionError


@pytest.mark.django_db
def test_folding_old_hours_keeps_their_counts():
    for days in (95, 91, 1):
        count("ok", "skipped", at=NOW - timedelta(days=days))
    rollup.flush()

    assert rollup.fold_before(NOW - rollup.KEPT) == 2
    assert rollup.fold_before(NOW - rollup.KEPT) == 0
    assert totals()[NAME] == {"runs": 3, "failures": 0, "skipped": 3, "aborted": 0}
    assert JobHour.objects.count() == 2


@pytest.mark.django_db
def test_last_24_hours_give_the_success_rate_of_a_job():
    count("ok", "ok", "ok", "failed", "skipped")
    count("failed", at=NOW - timedelta(days=2))
    rollup.flush()

    day = last_day()[NAME]
    assert day.success_rate_pct == 75
    assert day.durations.percentile_ms(50) == pytest.approx(100, rel=0.05)
    assert last_day()["check_volatility"].success_rate_pct is None


class _Source:
    def collect(self):
        return families()


def _exposition():
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Source())
    return generate_latest(registry).decode()


def _samples():
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(_exposition())
        for sample in family.samples
    }


@pytest.mark.django_db
def test_metrics_can_be_parsed_and_have_the_right_values():
    lead(since_s=100, silent_s=2)
    count("ok", "failed", "skipped")
    rollup.flush()
    JobState.objects.register([NAME])
    JobState.objects.update(last_tick=Now(), paused=True, running_since=Now(), consecutive_failures=2)

    found = _samples()

    assert found["scheduler_is_leading",] == 1
    assert found["scheduler_epoch",] >= 1
    assert 2 <= found["scheduler_heartbeat_age_seconds",] < 15
    assert found["scheduler_processes", "standby"] == 0
    assert [found["job_runs_total", NAME, word] for word in ("ok", "failed", "skipped")] == [1, 1, 1]
    assert found["job_duration_seconds", NAME, "0.95"] == pytest.approx(0.1, rel=0.05)
    assert found["job_lateness_seconds", NAME, "0.5"] == pytest.approx(0.005, rel=0.05)
    assert (found["job_paused", NAME], found["job_consecutive_failures", NAME]) == (1, 2)


@pytest.mark.django_db
def test_metrics_without_rows_show_no_leader():
    found = _samples()

    assert found["scheduler_is_leading",] == 0
    assert ("scheduler_epoch",) not in found
    assert found["job_paused", NAME] == 0


@pytest.mark.django_db
def test_metrics_have_unique_samples_and_conventional_names():
    lead()
    for name in registered():
        rollup.note(name, "ok", 100.0, 5.0, NOW)
    rollup.flush()
    for role in SchedulerProcess.Role.values * 2:
        SchedulerProcess.objects.create(host="trader-1", pid=1, role=role)

    found = list(text_string_to_metric_families(_exposition()))

    samples = [(sample.name, *sorted(sample.labels.items())) for family in found for sample in family.samples]
    assert len(samples) == len(set(samples))
    assert len(found) == len({family.name for family in found})
    for family in found:
        assert (family.type == "counter") == any(each.name.endswith("_total") for each in family.samples)
        assert (family.unit == "seconds") == family.name.endswith("_seconds")
    assert _samples()["scheduler_processes", "standby"] == 2


@pytest.mark.django_db
def test_panel_and_metrics_stay_fast_after_months(django_assert_max_num_queries):
    lead()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job_hour (job_name, hour, runs, failures, skipped, aborted, duration_histogram,"
            " lateness_histogram) SELECT job, now() - make_interval(hours => n), 360, 1, 1, 0,"
            """ '{"48": 200, "49": 160}', '{"10": 360}' FROM unnest(%s::text[]) job,"""
            " generate_series(0, 90 * 24) n",
            [list(registered())],
        )
        cursor.execute(
            "INSERT INTO job_event (job_name, kind, by, text, at) SELECT %s, 'resumed', 'ann', '',"
            " now() - make_interval(mins => n) FROM generate_series(1, 100000) n",
            [NAME],
        )
    began = time.monotonic()
    with django_assert_max_num_queries(8):
        families()
    with django_assert_max_num_queries(8):
        one(NAME)
    assert time.monotonic() - began < 15
    assert totals()[NAME]["runs"] == 360 * (90 * 24 + 1)
