"""The timetable: which jobs run, and when (docs/scheduler.md, R8 to R10). What a job does is in `tasks`."""

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
"""The `catch_up` of a job that runs, before all others, whenever a scheduler becomes leader."""


class AlignedInterval(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires at `ORIGIN + phase + k * every`, whenever it was last asked and whatever else was run.

    A *tick* is one instant of that grid. Sums of timedelta are exact, so ticks do not drift.
    """

    def __init__(self, every: timedelta, phase: timedelta = timedelta(0)) -> None:
        self.every = every
        self.start = ORIGIN + phase

    def floor(self, at: datetime) -> datetime:
        return self.start + (at - self.start) // self.every * self.every

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the tick after `previous_fire_time`; of several missed ticks only the last.

        So a backlog of any length takes two steps: the planned tick and the last one. Without a previous time
        it is the first tick after `now`.
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
    """Does the work of one tick and returns its counts. A run by hand gets the present time."""
    phase_s: float = 0
    """Seconds from the full interval to the tick, so that jobs do not start together."""
    deadline_s: float = 60
    """How long a run may take. One that takes longer has failed, whatever it did; see `hard_limit_s`."""
    catch_up: timedelta = timedelta(0)
    """How late the next leader may still run a tick that was missed without a leader."""
    at_once: bool = False
    """Whether, until its first success, it runs as soon as a scheduler leads, and not at the next tick."""
    always_tried: bool = False
    """Whether it gets trial runs in quarantine, since money is at stake while it does not run."""
    why: str = ""
    """Why it has these times, as a msgid, for the page of the job."""

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
        """Seconds after which a run ends its process, since a thread cannot be ended alone."""
        return self.nears_limit_s + 2

    @property
    def nears_limit_s(self) -> float:
        """Seconds after which a run past its deadline must have ended, unless it hangs."""
        return 1.5 * self.deadline_s

    @property
    def slack(self) -> timedelta:
        """How overdue a tick may be before the job counts as late: half the interval, 5 s to 60 s."""
        return min(timedelta(seconds=60), max(timedelta(seconds=5), self.every / 2))

    def late_by(self, since: datetime, now: datetime) -> timedelta | None:
        """Return how overdue the tick after `since` is; None within `slack`."""
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
            "Far from the signals, which reconcile orders themselves. Open orders cannot wait: a new leader "
            "runs this first, before all other jobs."
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
    """Return the jobs of the timetable named by `settings.JOBS_SCHEDULE`, by name, in their order."""
    timetable = cast("tuple[ScheduledJob, ...]", import_string(settings.JOBS_SCHEDULE))
    return {job.name: job for job in timetable}
