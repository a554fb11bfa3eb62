import queue
import threading
from datetime import datetime, timedelta

import pytest
from apscheduler.schedulers.base import STATE_RUNNING, STATE_STOPPED
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import COMMITTED, NOON, until
from tests.jobs.timetables import nothing
from tradingsite.jobs.scheduler import loop
from tradingsite.jobs.scheduler.intervals import INTERVALS
from tradingsite.jobs.scheduler.job_store import CodeJobStore
from tradingsite.jobs.scheduler.loop import SafeScheduler
from tradingsite.jobs.timetable import SCHEDULE, ScheduledJob

pytestmark = COMMITTED

Ticks = queue.Queue[tuple[str, datetime]]
TENTH = timedelta(seconds=0.1)
WITHIN_S = 60


class FailingStore(CodeJobStore):
    """Fails in the call named by `failing`, until that is None."""

    def __init__(self, failing):
        super().__init__()
        self.failing = failing
        self.failed = threading.Event()
        self.rounds = 0

    def fail_in(self, name):
        if self.failing == name:
            self.failed.set()
            raise ConnectionError(name)

    def get_due_jobs(self, now):
        self.rounds += 1
        self.fail_in("get_due_jobs")
        return super().get_due_jobs(now)

    def get_next_run_time(self):
        self.fail_in("get_next_run_time")
        return super().get_next_run_time()

    def update_job(self, job):
        self.fail_in("update_job")
        super().update_job(job)


@pytest.fixture
def lead():
    """Start a loop that leads; what it runs arrives in its `ran`, what it skips in its `skipped`."""
    schedulers = []

    def start(*jobs, store=None, run_tick=None):
        ran: Ticks = queue.Queue()
        skipped: Ticks = queue.Queue()
        put = run_tick or (lambda name, tick: ran.put((name, tick)))
        scheduler = SafeScheduler(
            jobs, run_tick=put, skipped=lambda name, tick: skipped.put((name, tick)), store=store
        )
        scheduler.ran, scheduler.skipped = ran, skipped
        schedulers.append(scheduler)
        scheduler.start(paused=True)
        scheduler.store.align(jobs, {}, timezone.now())
        scheduler.lead()
        return scheduler

    yield start
    for scheduler in schedulers:
        scheduler.end()
        scheduler._thread.join(WITHIN_S)


def test_ticks_are_on_the_grid_and_none_comes_twice(lead):
    job = ScheduledJob("tenth", TENTH, nothing, phase_s=0.03)
    scheduler = lead(job)

    ticks = [scheduler.ran.get(timeout=WITHIN_S)[1] for _ in range(8)]

    assert ticks == sorted(set(ticks))
    assert [job.trigger.floor(tick) for tick in ticks] == ticks


class Clock:
    """Moves only when it is set."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def step(self, seconds):
        self.now += timedelta(seconds=seconds)


class RememberingStore(CodeJobStore):
    """Keeps the jobs in memory: a day has many rounds."""

    def align(self, jobs, last_ticks, now):
        for job in jobs:
            self._jobs[job.name].next_run_time = job.trigger.get_next_fire_time(None, now)

    def get_due_jobs(self, now):
        return [job for job in self._jobs.values() if job.next_run_time <= now]

    def update_job(self, job): ...


class ByHand(SafeScheduler):
    """A loop without a thread: only the test makes its rounds."""

    def _main_loop(self): ...


@pytest.fixture
def by_the_clock():
    """Make a loop whose rounds the test runs itself, at the time of its clock."""
    loops = []

    def make(clock, *jobs, store=None):
        ran: list[tuple[str, datetime, datetime]] = []
        scheduler = ByHand(
            jobs,
            run_tick=lambda name, tick: ran.append((name, tick, clock.now)),
            skipped=print,
            store=store,
            clock=clock,
        )
        scheduler.start(paused=True)
        scheduler.store.align(jobs, {}, clock())
        scheduler.state = STATE_RUNNING
        loops.append(scheduler)
        return scheduler, ran

    yield make
    for scheduler in loops:
        scheduler.end()


def turn(scheduler):
    """Do one round, wait for the runs that it started, and return how long the loop would wait."""
    due = scheduler.store.get_due_jobs(scheduler._clock())
    wait_s = scheduler._process_jobs()
    for thread in [scheduler._threads[job.id] for job in due]:
        thread._pool.submit(nothing, None).result(WITHIN_S)
    return wait_s


def test_day_runs_every_tick_once_and_on_time(by_the_clock):
    clock = Clock(NOON)
    scheduler, ran = by_the_clock(clock, *SCHEDULE, store=RememberingStore())
    while clock.now <= NOON + timedelta(days=1):
        clock.step(turn(scheduler))

    for job in SCHEDULE:
        ticks = [tick for name, tick, _ in ran if name == job.name]
        first = job.trigger.get_next_fire_time(None, NOON)
        assert ticks == [first + number * job.every for number in range(timedelta(days=1) // job.every)]
    assert max(at - tick for _, tick, at in ran) <= timedelta(seconds=loop._SHORTEST_WAIT_S)


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_clock_jump_costs_at_most_two_intervals_and_repeats_no_tick(by_the_clock, step_s):
    job = ScheduledJob("ten", timedelta(seconds=10), nothing)
    clock = Clock(NOON)
    scheduler, ran = by_the_clock(clock, job)
    for _ in range(20):
        clock.step(turn(scheduler))
    before = len(ran)
    clock.step(step_s)
    jumped_at = clock.now
    for _ in range(20):
        clock.step(turn(scheduler))

    since = [(tick, at) for _, tick, at in ran[before:]]
    assert min(at for _, at in since) - jumped_at <= 2 * job.every
    assert [job.trigger.floor(tick) for tick, _ in since] == [tick for tick, _ in since]
    assert len({tick for _, tick, _ in ran}) == len(ran)
    if step_s > 0:
        assert sum(at - tick > job.every for tick, at in since) == 0, (
            "ticks that the jump skipped are not caught up"
        )


def test_requested_run_has_the_jobs_thread_to_itself(lead):
    release = threading.Event()
    ran: Ticks = queue.Queue()

    def run_tick(name, tick):
        ran.put((name, tick))
        release.wait(WITHIN_S)

    scheduler = lead(ScheduledJob("daily", timedelta(days=1), nothing), run_tick=run_tick)

    assert scheduler.run_now("daily", NOON)
    assert not scheduler.run_now("daily", NOON + TENTH)
    assert ran.get(timeout=WITHIN_S) == ("daily", NOON)
    release.set()
    assert ran.empty()


@pytest.mark.parametrize("method", ["get_due_jobs", "get_next_run_time", "update_job"])
def test_loop_survives_a_store_that_fails_in_any_call(lead, method, monkeypatch):
    monkeypatch.setattr(loop, "RETRY_S", 0.05)
    store = FailingStore(method)
    scheduler = lead(ScheduledJob("tenth", TENTH, nothing), store=store)
    assert store.failed.wait(WITHIN_S)

    store.failing = None
    while not scheduler.ran.empty():
        scheduler.ran.get()

    assert scheduler.ran.get(timeout=WITHIN_S)[0] == "tenth"
    assert scheduler.thread_is_alive


def test_hung_run_delays_no_other_job_and_its_next_ticks_are_skipped(lead):
    release = threading.Event()
    others: queue.Queue[datetime] = queue.Queue()

    def run_tick(name, tick):
        if name == "hanging":
            release.wait(WITHIN_S)
        else:
            others.put(tick)

    scheduler = lead(
        ScheduledJob("hanging", TENTH, nothing), ScheduledJob("other", TENTH, nothing), run_tick=run_tick
    )
    first, second = (scheduler.skipped.get(timeout=WITHIN_S) for _ in range(2))
    ticks = [others.get(timeout=WITHIN_S) for _ in range(4)]
    release.set()

    assert (first[0], second[0]) == ("hanging", "hanging")
    assert first[1] < second[1]
    assert ticks == sorted(set(ticks))


def test_resting_loop_starts_no_run_and_goes_on_afterwards(lead):
    scheduler = lead(ScheduledJob("tenth", TENTH, nothing))
    scheduler.ran.get(timeout=WITHIN_S)
    scheduler.rest()
    rested_at = timezone.now()
    assert scheduler._process_jobs() == INTERVALS.longest_wait_s

    scheduler.lead()
    ticks = [scheduler.ran.get(timeout=WITHIN_S)[1] for _ in range(4)]

    assert ticks[-1] > rested_at


def test_old_row_of_an_unknown_job_does_not_make_the_loop_spin(lead):
    DjangoJob.objects.create(id="unknown", next_run_time=timezone.now() - timedelta(days=1), job_state=b"")
    store = FailingStore(None)
    scheduler = lead(ScheduledJob("tenth", TENTH, nothing), store=store)
    for _ in range(5):
        scheduler.ran.get(timeout=WITHIN_S)

    assert store.rounds <= 12


def test_loop_that_rests_from_its_start_still_makes_rounds():
    """Otherwise the watchdog would end every standby."""
    scheduler = SafeScheduler(
        [ScheduledJob("tenth", TENTH, nothing)], run_tick=print, skipped=print, longest_wait_s=0.01
    )
    scheduler._last_round_s -= 3600
    scheduler.start(paused=True)
    try:
        until(lambda: scheduler.age_s < 60)
        scheduler._last_round_s -= 3600
        until(lambda: scheduler.age_s < 60)
    finally:
        scheduler.end()


def test_ended_loop_ends_its_thread(lead):
    scheduler = lead(ScheduledJob("tenth", TENTH, nothing))
    scheduler.end()
    scheduler._thread.join(WITHIN_S)

    assert scheduler.state == STATE_STOPPED
    assert not scheduler.thread_is_alive
    assert scheduler.age_s < WITHIN_S


def test_loop_without_rows_waits_its_longest(lead, monkeypatch):
    scheduler = lead()

    assert scheduler._process_jobs() == INTERVALS.longest_wait_s
