from datetime import UTC, datetime, timedelta

import pytest

from tradingsite.jobs.timetable import ORIGIN, AlignedInterval

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
TEN_S = AlignedInterval(timedelta(seconds=10), timedelta(seconds=3))


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def test_first_tick_is_the_next_on_the_grid():
    assert TEN_S.get_next_fire_time(None, at(0.5)) == at(3)
    assert TEN_S.get_next_fire_time(None, at(2.999999)) == at(3)
    assert TEN_S.get_next_fire_time(None, at(3)) == at(13)


def test_next_tick_does_not_depend_on_lateness():
    assert TEN_S.get_next_fire_time(at(3), at(3.2)) == at(13)
    assert TEN_S.get_next_fire_time(at(3), at(12.9)) == at(13)


def test_tick_after_a_run_off_the_grid_is_on_it():
    assert TEN_S.get_next_fire_time(at(7.77), at(7.8)) == at(13)


def test_only_the_last_tick_is_left_after_thirty_days():
    back = NOON + timedelta(days=30)

    missed = TEN_S.get_next_fire_time(at(3), back)

    assert missed == back - timedelta(seconds=7)
    assert TEN_S.get_next_fire_time(missed, back) == back + timedelta(seconds=3)


def test_clock_set_back_repeats_no_tick():
    assert TEN_S.get_next_fire_time(at(13), at(12.8)) == at(23)


def test_ten_thousand_ticks_do_not_drift():
    trigger, tick = AlignedInterval(timedelta(seconds=0.7)), ORIGIN

    for _ in range(10_000):
        tick = trigger.get_next_fire_time(tick, tick)

    assert tick == ORIGIN + timedelta(seconds=7_000)


@pytest.mark.parametrize("offset_s", [-3600, -0.000001, 0, 0.000001, 9.999999])
def test_floor_is_on_the_grid_and_never_later(offset_s):
    floor = TEN_S.floor(at(3 + offset_s))

    assert (floor - TEN_S.start) % TEN_S.every == timedelta(0)
    assert timedelta(0) <= at(3 + offset_s) - floor < TEN_S.every
