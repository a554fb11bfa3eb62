"""Builds the message of an alert, in English, for Slack, Discord or a program (docs/alerts.md, rule 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils.translation import override

from healthcheck.redaction import redacted_text
from healthcheck.report import Status
from healthcheck.status_words import STATUS_WORDS
from healthcheck.templatetags.durations import duration
from healthcheck.templatetags.moments import iso, moment_text, site_moment

Format = Literal["slack", "discord", "json"]

_DISCORD_LENGTH = 2000


@dataclass(frozen=True)
class AlertChange:
    """One change of state, as an alert describes it.

    Attributes:
        lasted: how long the previous state had lasted; None when that is not known.
        label: the component's name for people.
    """

    component: str
    label: str
    at: datetime
    before: Status
    after: Status
    message: str
    version: str
    rehearsal: bool = False
    lasted: timedelta | None = None


def body(form: Format, site: str, newest: AlertChange, earlier: Sequence[AlertChange] = ()) -> dict[str, Any]:
    """Return the JSON to post about `newest`. `earlier` are older changes of the component, not sent yet."""
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
        f"{STATUS_WORDS[newest.after].mark} {'REHEARSAL: ' if newest.rehearsal else ''}"
        f"{site}: {newest.label} is {newest.after}, was {_was(newest)}",
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
        "at": iso(change.at),
        "before_lasted_s": change.lasted.total_seconds() if change.lasted else None,
        "version": change.version,
        "rehearsal": change.rehearsal,
    }


def _moment(at: datetime) -> str:
    return f"{site_moment(at)} ({moment_text(at, 'time')} UTC)"


def _was(change: AlertChange) -> str:
    with override("en"):
        return f"{change.before} for {duration(change.lasted)}" if change.lasted else change.before
