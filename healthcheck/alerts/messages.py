"""What an alert says, in the three forms that are taken: English, Korean time and UTC (docs/alerts.md, 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from healthcheck.redaction import redacted_text

Format = Literal["slack", "discord", "json"]

KOREA = ZoneInfo("Asia/Seoul")
_MARKS = {"healthy": "✅", "warning": "⚠️", "unhealthy": "🔴"}
_DISCORD_LENGTH = 2000


@dataclass(frozen=True)
class AlertChange:
    """One transition as an alert tells it.

    Attributes:
        lasted: how long the state before had lasted; None when nobody knows.
        label: the component's name for people.
    """

    component: str
    label: str
    at: datetime
    before: str
    after: str
    message: str
    version: str
    rehearsal: bool = False
    lasted: timedelta | None = None


def body(form: Format, site: str, newest: AlertChange, earlier: Sequence[AlertChange] = ()) -> dict[str, Any]:
    """Return the JSON to post about `newest`; `earlier` are changes of it that were not told yet."""
    text = redacted_text(_text(site, newest, earlier))
    if form == "slack":
        return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
    if form == "discord":
        return {"content": text[:_DISCORD_LENGTH], "allowed_mentions": {"parse": []}}
    return {
        "event": "health.transition",
        "site": site,
        "text": text,
        **_facts(newest),
        "earlier": [_facts(change) for change in earlier],
    }


def _text(site: str, newest: AlertChange, earlier: Sequence[AlertChange]) -> str:
    lines = [
        f"{_MARKS[newest.after]} {'REHEARSAL: ' if newest.rehearsal else ''}{site}: {newest.label} is "
        f"{newest.after}, was {newest.before}{f' for {_span(newest.lasted)}' if newest.lasted else ''}",
        newest.message,
        *(f"before it: {change.after} at {_moment(change.at)}" for change in earlier),
        f"{_moment(newest.at)}, release {newest.version or 'unknown'}",
    ]
    return "\n".join(lines)


def _facts(change: AlertChange) -> dict[str, Any]:
    return {
        "component": change.component,
        "before": change.before,
        "after": change.after,
        "message": redacted_text(change.message),
        "at": change.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "before_lasted_s": change.lasted.total_seconds() if change.lasted else None,
        "version": change.version,
        "rehearsal": change.rehearsal,
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(KOREA):%Y-%m-%d %H:%M:%S} KST ({at.astimezone(UTC):%H:%M:%S} UTC)"


def _span(lasted: timedelta) -> str:
    """Return the two largest units.

    >>> _span(timedelta(days=1, hours=3, minutes=5))
    '1 d 3 h'
    """
    left_s = int(lasted.total_seconds())
    parts = []
    for unit, size_s in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left_s = divmod(left_s, size_s)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
