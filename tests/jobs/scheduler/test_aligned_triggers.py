from datetime import UTC, datetime, timedelta

import pytest

from tradingsite.jobs.timetable import ORIGIN, AlignedInterval

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
TEN_S = AlignedInterval(timedelta(seconds=10), timedelta(seconds=3))


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def test_the_first_tick_is_the_next_on_the_grid_whenever_the_process_started():
    assert TEN_S.get_next_fire_time(None, at(0.5)) == at(3)
    assert TEN_S.get_next_fire_time(None, at(2.999999)) == at(3)
    assert TEN_S.get_next_fire_time(None, at(3)) == at(13)


def test_a_tick_follows_the_one_before_however_late_that_was_run():
    assert TEN_S.get_next_fire_time(at(3), at(3.2)) == at(13)
    assert TEN_S.get_next_fire_time(at(3), at(12.9)) == at(13)


def test_a_run_off_the_grid_is_followed_by_a_tick_on_it():
    assert TEN_S.get_next_fire_time(at(7.77), at(7.8)) == at(13)


def test_after_thirty_days_down_only_the_last_tick_is_left():
    back = NOON + timedelta(days=30)

    missed = TEN_S.get_next_fire_time(at(3), back)

    assert missed == back - timedelta(seconds=7)
    assert TEN_S.get_next_fire_time(missed, back) == back + timedelta(seconds=3)


def test_a_clock_set_back_does_not_repeat_a_tick():
    assert TEN_S.get_next_fire_time(at(13), at(12.8)) == at(23)


def test_no_drift_in_ten_thousand_ticks():
    trigger, tick = AlignedInterval(timedelta(seconds=0.7)), ORIGIN

    for _ in range(10_000):
        tick = trigger.get_next_fire_time(tick, tick)

    assert tick == ORIGIN + timedelta(seconds=7_000)


@pytest.mark.parametrize("offset_s", [-3600, -0.000001, 0, 0.000001, 9.999999])
def test_the_floor_is_on_the_grid_and_never_later(offset_s):
    floor = TEN_S.floor(at(3 + offset_s))

    assert (floor - TEN_S.start) % TEN_S.every == timedelta(0)
    assert timedelta(0) <= at(3 + offset_s) - floor < TEN_S.every
