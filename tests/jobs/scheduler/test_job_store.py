from datetime import datetime, timedelta

import pytest
from django.db import connection
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import COMMITTED, NOON, at
from tests.jobs.timetables import nothing
from tradingsite.jobs.scheduler.loop import SafeScheduler
from tradingsite.jobs.timetable import UNLIMITED, ScheduledJob

pytestmark = pytest.mark.django_db

FIVE_S = ScheduledJob("five", timedelta(seconds=5), nothing)
DAILY = ScheduledJob("daily", timedelta(days=1), nothing, phase_s=3600, catch_up=timedelta(days=1))


@pytest.fixture
def make_store():
    """Return a store that knows the given jobs, as a scheduler that has just started has it."""
    schedulers = []

    def make(*jobs):
        schedulers.append(SafeScheduler(jobs, run_tick=print, skipped=print))
        schedulers[-1].start(paused=True)
        return schedulers[-1].store

    yield make
    for scheduler in schedulers:
        scheduler.end()


def turn(store, now):
    """Do what APScheduler's loop does in one round; return the ticks it would run."""
    ticks = []
    for job in store.get_due_jobs(now):
        tick = job._get_run_times(now)[-1]
        ticks.append((job.id, tick))
        job._modify(next_run_time=job.trigger.get_next_fire_time(tick, now))
        store.update_job(job)
    return ticks


def plan(**next_run_times):
    for name, moment in next_run_times.items():
        DjangoJob.objects.update_or_create(id=name, defaults={"next_run_time": moment, "job_state": b"?"})


def planned(name):
    return DjangoJob.objects.get(id=name).next_run_time


def test_restarts_more_frequent_than_a_job_lose_no_tick(make_store):
    ticks: list[tuple[str, datetime]] = []
    for start in range(0, 170, 35):  # tenths of a second: each start comes before a new tick would
        store = make_store(FIVE_S)
        store.align([FIVE_S], {"five": ticks[-1][1] if ticks else None}, at(0.1 + start / 10))
        for tenth in range(start, start + 35):
            ticks += turn(store, at(0.1 + tenth / 10))

    assert ticks == [("five", at(seconds)) for seconds in (5, 10, 15)]


def test_tick_without_a_leader_is_skipped_unless_the_job_catches_up(make_store):
    store = make_store(FIVE_S, DAILY)
    plan(five=at(-3600), daily=at(-3600))

    store.align([FIVE_S, DAILY], {"five": at(-3605), "daily": at(-3600) - DAILY.every}, at(1))

    assert turn(store, at(1)) == [("daily", at(-39_600))]
    assert planned("five") == at(5)
    assert planned("daily") == at(-39_600) + DAILY.every


def test_job_that_never_ran_is_caught_up(make_store):
    store = make_store(DAILY)
    plan(daily=at(-39_600))

    store.align([DAILY], {}, NOON)

    assert turn(store, NOON) == [("daily", at(-39_600))]


@pytest.mark.parametrize(
    ("planned_at", "last_tick"),
    [
        pytest.param(at(-39_600), at(-39_600), id="it has run, only its next time could not be saved"),
        pytest.param(None, None, id="the scheduler is new here"),
    ],
)
def test_there_is_nothing_to_catch_up_when(make_store, planned_at, last_tick):
    store = make_store(DAILY)
    if planned_at:
        plan(daily=planned_at)

    store.align([DAILY], {"daily": last_tick}, NOON)

    assert turn(store, NOON) == []
    assert planned("daily") == at(-39_600) + DAILY.every


def test_at_once_job_starts_at_once_until_it_has_succeeded(make_store):
    hourly = ScheduledJob("hourly", timedelta(hours=1), nothing, at_once=True)
    store = make_store(hourly)

    store.align([hourly], {}, at(301))
    assert turn(store, at(301)) == [("hourly", at(0))]

    store.align([hourly], {"hourly": None}, at(302))
    assert turn(store, at(302)) == [("hourly", at(0))], "it was killed: nothing has succeeded yet"

    store.align([hourly], {"hourly": at(0)}, at(303))
    assert turn(store, at(303)) == []


def test_tick_older_than_the_window_is_not_caught_up(make_store):
    hourly = ScheduledJob("hourly", timedelta(hours=1), nothing, catch_up=timedelta(minutes=5))
    store = make_store(hourly)
    plan(hourly=at(-7200))

    store.align([hourly], {}, at(301))

    assert turn(store, at(301)) == []
    assert planned("hourly") == at(3600)


def test_unlimited_catch_up_runs_at_each_start_before_the_others(make_store):
    always = ScheduledJob("always", timedelta(minutes=5), nothing, catch_up=UNLIMITED)
    store = make_store(FIVE_S, always)
    plan(five=at(5), always=at(-30 * 86_400))

    store.align([FIVE_S, always], {"always": at(-30 * 86_400)}, at(2))
    assert turn(store, at(5)) == [("always", NOON), ("five", at(5))], "however long ago it was"
    assert planned("always") == at(300)

    store.align([FIVE_S, always], {"always": NOON}, at(6))
    assert turn(store, at(6)) == [("always", at(6))], "its tick was run, but by another leader"
    assert planned("always") == at(300)


def test_rows_of_unknown_jobs_are_kept_and_never_due(make_store):
    store = make_store(FIVE_S)
    plan(other_version=at(-60))
    store.align([FIVE_S], {}, NOON)

    assert turn(store, at(5)) == [("five", at(5))]
    assert store.get_next_run_time() == at(10)
    assert DjangoJob.objects.filter(id="other_version", job_state=b"?").exists()


def test_row_with_an_unreadable_pickle_runs_by_the_codes_definition(make_store):
    store = make_store(FIVE_S)
    plan(five=at(5))
    store.align([FIVE_S], {}, NOON)

    assert turn(store, at(5)) == [("five", at(5))]


def test_store_answers_from_the_codes_definitions(make_store):
    store = make_store(FIVE_S, DAILY)

    assert [job.id for job in store.get_all_jobs()] == ["five", "daily"]
    assert store.lookup_job("five").func is nothing
    assert store.lookup_job("other_version") is None


def test_edited_next_run_time_runs_the_job_once_off_the_grid(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, NOON)
    plan(five=at(1.2))

    assert [turn(store, at(second)) for second in (1, 2, 3, 5)] == [
        [],
        [("five", at(1.2))],
        [],
        [("five", at(5))],
    ]


def test_row_without_a_time_is_not_run(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, NOON)
    plan(five=None)

    assert turn(store, at(60)) == []
    assert store.get_next_run_time() is None


def test_deleted_row_comes_back_with_the_next_tick(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, NOON)
    turn(store, at(1))
    DjangoJob.objects.all().delete()

    assert turn(store, at(5)) == [("five", at(5))]
    assert planned("five") == at(10)


def test_clock_set_back_two_hours_delays_no_job(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, at(7201))
    assert turn(store, at(7205)) == [("five", at(7205))]

    assert [turn(store, at(second)) for second in (7, 9, 10, 11)] == [[], [], [("five", at(10))], []]


def test_time_too_far_ahead_is_corrected_at_the_start(make_store):
    store = make_store(FIVE_S)
    plan(five=at(7200))

    store.align([FIVE_S], {}, NOON)

    assert planned("five") == at(5)


def test_clock_set_back_a_little_repeats_no_tick(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, NOON)

    assert [turn(store, at(second)) for second in (5, 4.9, 5.01)] == [[("five", at(5))], [], []]


@COMMITTED
def test_tick_whose_next_time_cannot_be_saved_is_not_run_again(make_store):
    store = make_store(FIVE_S)
    store.align([FIVE_S], {}, NOON)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE django_apscheduler_djangojob ADD CONSTRAINT refusing CHECK (false) NOT VALID"
        )
        try:
            refused = [turn(store, at(second)) for second in (5, 6, 10)]
        finally:
            with connection.cursor() as again:
                again.execute("ALTER TABLE django_apscheduler_djangojob DROP CONSTRAINT refusing")

    assert refused == [[("five", at(5))], [], [("five", at(10))]]
    assert turn(store, at(15)) == [("five", at(15))]
    assert planned("five") == at(20)
