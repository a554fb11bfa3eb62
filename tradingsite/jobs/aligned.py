"""When a job is due: on a fixed grid of instants, the same in every process and after every restart (R8)."""

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)


class AlignedInterval(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires at `ORIGIN + phase + k * every`, however long nobody looked and whatever was run in between.

    A *tick* is one instant of that grid. Sums of timedelta are exact, so ticks do not drift.
    """

    def __init__(self, every: timedelta, phase: timedelta = timedelta(0)) -> None:
        """Put ticks `every` so often, `phase` after each full interval since `ORIGIN`."""
        self.every = every
        self.start = ORIGIN + phase

    def floor(self, at: datetime) -> datetime:
        """Return the last tick at or before `at`."""
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
