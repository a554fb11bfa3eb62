"""The trading day: it begins at 00:00 in Korea. Losses and model calls are counted by it."""

from datetime import date, datetime, time, timedelta, timezone

KST = timezone(timedelta(hours=9))  # Korea has had no summer time since 1988


def day_of(at: datetime) -> date:
    """Return the day in Korea at that time.

    >>> from datetime import UTC
    >>> day_of(datetime(2026, 1, 5, 15, 0, tzinfo=UTC))
    datetime.date(2026, 1, 6)
    """
    return at.astimezone(KST).date()


def start_of_day(at: datetime) -> datetime:
    """Return the last 00:00 in Korea, at or before `at`."""
    return datetime.combine(day_of(at), time(), KST)
