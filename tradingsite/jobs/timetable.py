"""What runs by itself, and when (docs/scheduler.md R8 to R10). What a job does is in `tasks`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import cast

from apscheduler.triggers.base import BaseTrigger
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_noop

from tradingsite.strategy.budget import SIGNAL_INTERVAL

ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)

UNLIMITED = timedelta.max
"""The `catch_up` of a job that runs, before the others, whenever a scheduler begins to lead."""


class AlignedInterval(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires at `ORIGIN + phase + k * every`, however long nobody looked and whatever was run in between.

    A *tick* is one instant of that grid. Sums of timedelta are exact, so ticks do not drift.
    """

    def __init__(self, every: timedelta, phase: timedelta = timedelta(0)) -> None:
        self.every = every
        self.start = ORIGIN + phase

    def floor(self, at: datetime) -> datetime:
        return self.start + (at - self.start) // self.every * self.every

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the tick after `previous_fire_time`; of those that were missed meanwhile only the last.

        That leaves two steps of a backlog of any length: the tick that was planned and the last one.
        Without a previous time it is the first tick after `now`.
        """
        last = self.floor(now)
        if previous_fire_time is None:
            return last + self.every
        return max(self.floor(previous_fire_time) + self.every, last)


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    name: str
    every: timedelta
    run: Callable[[datetime], Mapping[str, int]]
    """Does the work of a tick once and returns what is worth counting. A run by hand gets its own moment."""
    phase_s: float = 0
    """Seconds from the full interval to the tick, so that jobs do not start together."""
    deadline_s: float = 60
    """How long a run may take. Later it is a failure, whatever it did; see also `hard_limit_s`."""
    catch_up: timedelta = timedelta(0)
    """How late a tick that nobody was there for may still be run by the next scheduler."""
    at_once: bool = False
    """Whether it runs when a scheduler begins to lead, not at the next tick, until it has once succeeded."""
    always_tried: bool = False
    """Whether a quarantine leaves it its trial runs: money is at stake while it does not run."""
    why: str = ""
    """Why these times, as a msgid: for people who look at the timetable."""

    def __post_init__(self) -> None:
        if not timedelta(0) <= timedelta(seconds=self.phase_s) < self.every:
            raise ValueError(
                f"{self.name}: phase_s is {self.phase_s}, must be at least 0 and less than {self.every}"
            )

    @property
    def trigger(self) -> AlignedInterval:
        return AlignedInterval(self.every, timedelta(seconds=self.phase_s))

    @property
    def hard_limit_s(self) -> float:
        """Return after how many seconds a run ends its process: a thread cannot be ended alone."""
        return self.nears_limit_s + 2

    @property
    def nears_limit_s(self) -> float:
        """Return by when a run that is past its deadline has ended, unless it hangs."""
        return 1.5 * self.deadline_s

    @property
    def slack(self) -> timedelta:
        """How far past its time a tick may be before the job is late: half the interval, 5 s to 60 s."""
        return min(timedelta(seconds=60), max(timedelta(seconds=5), self.every / 2))

    def late_by(self, since: datetime, now: datetime) -> timedelta | None:
        """Return how much too late the tick after `since` is, or None while it is within `slack`."""
        late = now - since - self.every
        return late if late > self.slack else None


def _task(name: str) -> Callable[[datetime], Mapping[str, int]]:
    """Return the function of that name in `tasks`, imported by its first run.

    The pages and most commands show the timetable and run nothing: they need not load the clients.
    """

    def run(tick: datetime) -> Mapping[str, int]:
        task: Callable[[datetime], Mapping[str, int]] = getattr(import_module("tradingsite.jobs.tasks"), name)
        return task(tick)

    return run


_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)

SCHEDULE = (
    ScheduledJob(
        "collect_market_data", 10 * _SECOND, _task("collect_market_data"),
        phase_s=0, deadline_s=8,
        why=gettext_noop(
            "Prices older than 30 s stop buys; one poll must end before the next. A missed price is gone: "
            "the next poll sees the market as it is, so nothing is caught up."
        ),
    ),
    ScheduledJob(
        "generate_trading_signal", SIGNAL_INTERVAL, _task("generate_trading_signal"),
        phase_s=12, deadline_s=300, catch_up=5 * _MINUTE, at_once=True,
        why=gettext_noop(
            "12 s past the half hour its candles are closed and a poll is just over. Five minutes are "
            "for a slow model. A signal more than five minutes late would act on a market that has moved."
        ),
    ),
    ScheduledJob(
        "check_volatility", 30 * _SECOND, _task("check_volatility"),
        phase_s=5, deadline_s=20, always_tried=True,
        why=gettext_noop(
            "5 s after every third poll. Buys stop when none succeeded for 90 s, three ticks. It judges "
            "the present: an old tick has nothing to add."
        ),
    ),
    ScheduledJob(
        "sync_pending_orders", 5 * _MINUTE, _task("sync_pending_orders"),
        phase_s=48, deadline_s=120, catch_up=UNLIMITED, always_tried=True,
        why=gettext_noop(
            "Far from the signals, which reconcile for themselves. Open orders do not wait for a timetable: "
            "whoever begins to lead looks at once, before all other jobs."
        ),
    ),
    ScheduledJob(
        "cleanup_old_data", 24 * _HOUR, _task("cleanup_old_data"),
        phase_s=19 * 3600 + 10 * 60 + 9, deadline_s=1800, catch_up=24 * _HOUR,
        why=gettext_noop(
            "04:10:09 in Korea: calm, and far from the daily close. A day missed would "
            "be two days' rows tomorrow, so it is made up for."
        ),
    ),
)  # fmt: skip


def registered() -> dict[str, ScheduledJob]:
    """Return the jobs in force by name, in the order of the timetable that `settings.JOBS_SCHEDULE` names."""
    timetable = cast("tuple[ScheduledJob, ...]", import_string(settings.JOBS_SCHEDULE))
    return {job.name: job for job in timetable}
