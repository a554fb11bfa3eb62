"""The day by which losses and calls are counted begins at 00:00 in Korea."""

from datetime import date, datetime, time, timedelta, timezone

KST = timezone(timedelta(hours=9))  # no summer time since 1988


def day_of(at: datetime) -> date:
    """Return the day in Korea that `at` belongs to.

    >>> from datetime import UTC
    >>> day_of(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    datetime.date(2026, 1, 6)
    """
    return at.astimezone(KST).date()


def start_of_day(at: datetime) -> datetime:
    """Return the 00:00 in Korea at or before `at`."""
    return datetime.combine(day_of(at), time(), KST)
