"""What runs by itself, and when. The timetable is data; what a job does is in `bodies`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from tradingsite.jobs import bodies
from tradingsite.jobs.aligned import AlignedInterval
from tradingsite.strategy.evaluation import SIGNAL_INTERVAL


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """One job: its id, its grid of ticks and its body."""

    name: str
    every: timedelta
    run: Callable[[datetime], Mapping[str, int]]
    """Does the work of a tick once and returns what is worth counting. A run by hand gets its own moment."""
    phase_s: float = 0
    """Seconds from the full interval to the tick, so that jobs do not start together (R9)."""
    catch_up: timedelta = timedelta(0)
    """How late a tick that nobody was there for may still be run by the next scheduler."""
    at_once: bool = False
    """Whether it runs when a scheduler begins to lead, not at the next tick, until it has once succeeded."""

    def __post_init__(self) -> None:
        if not timedelta(0) <= timedelta(seconds=self.phase_s) < self.every:
            raise ValueError(
                f"{self.name}: phase_s is {self.phase_s}, must be at least 0 and less than {self.every}"
            )

    @property
    def trigger(self) -> AlignedInterval:
        return AlignedInterval(self.every, timedelta(seconds=self.phase_s))

    @property
    def slack(self) -> timedelta:
        """How far past its time a tick may be before the job is late: half the interval, 5 s to 60 s."""
        return min(timedelta(seconds=60), max(timedelta(seconds=5), self.every / 2))

    def late_by(self, since: datetime, now: datetime) -> timedelta | None:
        """Return how much too late the tick after `since` is, or None while it is within `slack`."""
        late = now - since - self.every
        return late if late > self.slack else None


# 04:10:09 in Korea: the day's trading pauses at no hour, but that one is calm and far from the daily close.
_CLEANUP_S = timedelta(hours=19, minutes=10, seconds=9).total_seconds()

SCHEDULE = (
    ScheduledJob("collect_market_data", timedelta(seconds=10), bodies.collect_market_data),
    ScheduledJob(
        "generate_trading_signal",
        SIGNAL_INTERVAL,
        bodies.generate_trading_signal,
        phase_s=12,
        catch_up=timedelta(minutes=15),
        at_once=True,
    ),
    ScheduledJob("check_volatility", timedelta(seconds=30), bodies.check_volatility, phase_s=5),
    ScheduledJob(
        "sync_pending_orders",
        timedelta(minutes=5),
        bodies.sync_pending_orders,
        phase_s=48,
        catch_up=timedelta(minutes=5),
    ),
    ScheduledJob(
        "cleanup_old_data",
        timedelta(hours=24),
        bodies.cleanup_old_data,
        phase_s=_CLEANUP_S,
        catch_up=timedelta(hours=24),
    ),
)


def registered() -> dict[str, ScheduledJob]:
    """Return the jobs in force by name, in the order of the timetable that `settings.JOBS_SCHEDULE` names."""
    timetable = cast("tuple[ScheduledJob, ...]", import_string(settings.JOBS_SCHEDULE))
    return {job.name: job for job in timetable}
