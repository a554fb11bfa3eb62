"""A day of the timetable with a clock that jumps from tick to tick (docs/scheduler.md R7 to R11; F28)."""

import gc
import logging
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.jobs.conftest import COMMITTED, NOON
from tests.jobs.runs import lead
from tradingsite.jobs.models import JobState
from tradingsite.jobs.records import rollup
from tradingsite.jobs.scheduler.loop import SafeScheduler
from tradingsite.jobs.scheduler.runner import Runner
from tradingsite.jobs.timetable import SCHEDULE

pytestmark = COMMITTED

SLOWER = 60
"""The two quick jobs come so many times less often: a day has 530 ticks then, not 11,900."""


class Day:
    """The real jobs with bodies that only record their tick, and one scheduler after another."""

    def __init__(self, slower=SLOWER):
        self.now = NOON
        self.slower = slower
        self.ran = defaultdict(list)
        self.jobs = [replace(job, every=self._every(job), run=self._body(job.name)) for job in SCHEDULE]
        self.fails = set()
        JobState.objects.register(job.name for job in self.jobs)
        self.loop = None
        self.begin()

    def begin(self):
        """Let a scheduler begin to lead, as the supervisor does."""
        self.end()
        term = lead()
        runner = Runner(
            {job.name: job for job in self.jobs}, lambda: True, epoch=lambda: term, clock=self.clock
        )
        runner.close_abandoned()
        self.loop = SafeScheduler(self.jobs, run_tick=runner.run_tick, skipped=runner.skip, clock=self.clock)
        self.loop.start(paused=True)
        to_begin_with = [job.name for job in self.jobs if job.at_once]
        ticks = JobState.objects.last_ticks(only_if_succeeded=to_begin_with)
        self.loop.store.align(self.jobs, ticks, self.now)
        self.runner = runner

    def end(self):
        if self.loop is not None:
            self.loop.end()

    def clock(self):
        return self.now

    def until(self, end):
        """Run what comes due until `end`, in this thread, one round of the loop after another."""
        while True:
            for job in self.loop.store.get_due_jobs(self.now):
                tick = job._get_run_times(self.now)[-1]
                self.runner.run_tick(job.id, tick)
                job._modify(next_run_time=job.trigger.get_next_fire_time(tick, self.now))
                self.loop.store.update_job(job)
            coming = self.loop.store.get_next_run_time()
            if coming > end:
                self.now = end
                return
            self.now = max(self.now, coming)

    def _body(self, name):
        def body(tick):
            self.ran[name].append(tick)
            if name in self.fails:
                raise ValueError(name)
            return {}

        return body

    def _every(self, job):
        return job.every * self.slower if job.every < timedelta(minutes=1) else job.every


@pytest.fixture
def day():
    running = Day()
    yield running
    running.end()


@pytest.fixture
def hour():
    """The timetable as it is, with nothing written to the log: pytest would keep it all."""
    running = Day(slower=1)
    logging.disable()
    tracemalloc.start()
    yield running
    tracemalloc.stop()
    logging.disable(logging.NOTSET)
    running.end()


def test_day_has_every_tick_once_and_on_time_although_a_job_fails(day):
    day.fails.add("check_volatility")
    day.until(NOON + timedelta(days=1))

    counts = {job.name: timedelta(days=1) // job.every for job in day.jobs}
    at_the_start = Counter(["generate_trading_signal", "sync_pending_orders"])
    assert {name: len(ticks) - at_the_start[name] for name, ticks in day.ran.items()} == counts
    for job in day.jobs:
        ticks = day.ran[job.name]
        assert [job.trigger.floor(tick) for tick in ticks] == ticks
        assert {later - earlier for earlier, later in pairwise(ticks)} <= {job.every}
    states = {state.job_name: state for state in JobState.objects.all()}
    assert {name: state.runs for name, state in states.items()} == {
        name: len(ticks) for name, ticks in day.ran.items()
    }
    assert {state.last_lateness_ms for state in states.values()} == {0}
    assert states["check_volatility"].consecutive_failures == counts["check_volatility"]


@pytest.mark.parametrize(
    ("away_min", "caught_up"),
    [
        (35, {"sync_pending_orders"}),  # the signal's tick is 9 min 48 s old
        (28, {"sync_pending_orders", "generate_trading_signal"}),
        (1441, {"sync_pending_orders", "cleanup_old_data"}),
    ],
)
def test_next_scheduler_catches_up_ticks_inside_their_window(day, away_min, caught_up):
    day.until(NOON + timedelta(minutes=4, seconds=59))
    before = {name: len(ticks) for name, ticks in day.ran.items()}

    day.now += timedelta(minutes=away_min)
    now = day.now
    day.begin()
    day.until(now)

    assert {name for name, ticks in day.ran.items() if len(ticks) > before.get(name, 0)} == caught_up
    for name in caught_up:
        assert len(day.ran[name]) == before.get(name, 0) + 1


def test_restarts_lose_no_tick_that_comes_while_a_scheduler_runs(day):
    for _ in range(30):
        day.until(day.now + timedelta(seconds=475))
        day.begin()

    ticks = day.ran["collect_market_data"]
    assert {later - earlier for earlier, later in pairwise(ticks)} == {timedelta(seconds=600)}


@pytest.mark.slow
def test_memory_is_flat_over_an_hour_of_ticks(hour):
    def held_after(minutes):
        for _ in range(minutes):
            hour.until(hour.now + timedelta(minutes=1))
            rollup.flush()
        runs = sum(map(len, hour.ran.values()))
        hour.ran.clear()
        gc.collect()
        return runs, tracemalloc.get_traced_memory()[0]

    _, before = held_after(10)
    runs, after = held_after(60)

    assert runs == 494
    assert after - before < 100 * runs, "bytes; what one run left behind would be more"
