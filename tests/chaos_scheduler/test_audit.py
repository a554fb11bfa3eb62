"""What the scheduler's chaos counts as a violation, on made-up records."""

from datetime import UTC, datetime, timedelta

from tests.chaos_scheduler.audit import (
    Failover,
    Run,
    duplicates,
    grid,
    missed,
    off_the_grid,
    percentile,
    run_twice,
)

BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVERY = timedelta(seconds=2)
TICKS = grid(EVERY, 0, BEGIN, BEGIN + timedelta(seconds=10))


def at(seconds):
    return BEGIN + timedelta(seconds=seconds)


def ran(*ticks, pid=1):
    return [Run("price", pid, tick, tick + timedelta(milliseconds=5)) for tick in ticks]


def failover(killed, leads):
    return Failover(at(killed), at(leads), at(leads + 0.5))


def test_grid_has_both_ends_and_the_phase():
    assert [at(0), at(10)] == [TICKS[0], TICKS[-1]]
    assert len(TICKS) == 6
    assert grid(EVERY, 0.7, BEGIN, at(3)) == [at(0.7), at(2.7)]


def test_tick_run_by_two_processes_is_found():
    runs = [*ran(*TICKS), *ran(TICKS[2], pid=2)]
    assert duplicates(runs) == ["price 12:00:04.000000 ran 2 times"]
    assert duplicates(ran(*TICKS)) == []


def test_run_off_the_grid_is_found():
    assert off_the_grid(ran(at(0.5)), {"price": TICKS}) == ["price ran for 12:00:00.500000"]
    assert off_the_grid(ran(*TICKS), {"price": TICKS}) == []


def test_tick_missed_under_a_live_leader_is_a_violation():
    runs = ran(*(tick for tick in TICKS if tick != at(6)))
    assert missed(runs, {"price": TICKS}, [failover(1, 2)]) == (
        0,
        ["price 12:00:06.000000 was not run; 5.0 s after a kill, whose next leader led after 1.0 s"],
    )


def test_failover_may_lose_one_tick_a_job():
    runs = ran(*(tick for tick in TICKS if tick not in {at(4), at(6)}))
    lost, (wrong,) = missed(runs, {"price": TICKS}, [failover(3.9, 5.1)])
    assert (lost, wrong.startswith("price 12:00:06.000000 was not run")) == (1, True)
    assert missed(runs, {"price": TICKS}, [failover(3.9, 6.1)]) == (2, []), "no leader for a whole interval"
    assert missed(runs, {"price": TICKS}, [failover(3.9, 4.1), failover(5.9, 6.1)]) == (2, [])


def test_double_runs_of_the_plain_set_up_are_found_by_their_times():
    runs = [*ran(*TICKS), *ran(TICKS[1], TICKS[4], pid=2)]
    assert run_twice(runs, {"price": EVERY}) == 2


def test_percentiles_are_values_that_occurred():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7], 0.99) == 7
