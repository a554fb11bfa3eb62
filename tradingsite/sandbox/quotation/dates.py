"""Formats times as Upbit does. Korea is nine hours ahead of UTC all year."""

from datetime import UTC, datetime, timedelta, timezone

KST = timezone(timedelta(hours=9))


def format_ms(ms: int, pattern: str, zone: timezone = UTC) -> str:
    return datetime.fromtimestamp(ms // 1000, zone).strftime(pattern)
