"""Draws the history on the status page: 90 daily bars, the latency of 24 hours, and the last changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from healthcheck.declared import component_label
from healthcheck.history.queries import ComponentHistory, Day, TransitionRow, histories, transitions
from healthcheck.status_words import DAY_WORDS, STATUS_WORDS

BAR, PITCH, HEIGHT = 4, 5, 24
# One SVG path for all days of a kind: it keeps the page, which reloads every 5 s, small.
_PLAIN = ("healthy", "nothing")


@dataclass(frozen=True)
class HistoryBar:
    """One day: its position, and the text of its tooltip."""

    x: int
    y: int
    height: int
    kind: str
    day: Day

    @property
    def word(self) -> object:
        return DAY_WORDS[self.kind].word

    @property
    def text(self) -> str:
        text = f"{self.day.date}: {DAY_WORDS[self.kind].word}"
        uptime_pct = self.day.uptime_pct
        return text if uptime_pct is None or uptime_pct == 100 else f"{text}, {uptime_pct:.2f} %"


@dataclass(frozen=True)
class HistoryRow:
    """One component's row. Its texts are made when it is rendered, in the reader's language.

    `paths` are the days without trouble, by kind; `bars` are the other days, each with a tooltip.
    """

    past: ComponentHistory
    label: object
    now: datetime
    bars: tuple[HistoryBar, ...]
    paths: Sequence[tuple[str, str]]
    lines: Sequence[str]
    width: int = PITCH * 90

    @property
    def lasts(self) -> Any:
        return self.now - self.past.since if self.past.since else None

    @property
    def word(self) -> object:
        return STATUS_WORDS[self.past.status].word if self.past.status else ""

    @property
    def uptimes(self) -> Sequence[tuple[str, float | None]]:
        names = {"24h": gettext("24 h"), "7d": gettext("7 days"), "90d": gettext("90 days")}
        return [(names[window], uptime_pct) for window, uptime_pct in self.past.uptime_pct.items()]

    @property
    def troubles(self) -> Sequence[HistoryBar]:
        """The days with trouble, newest first."""
        return self.bars[::-1]

    @property
    def first_day(self) -> date:
        return self.past.days[0].date

    @property
    def last_day(self) -> date:
        return self.past.days[-1].date

    @property
    def known_ms(self) -> Sequence[float]:
        """The medians of the quarter hours that have a record."""
        return [each for each in self.past.latency_ms if each is not None]

    @property
    def highest_ms(self) -> float:
        return max(self.known_ms, default=0)

    @property
    def latency_text(self) -> str:
        """The latency line in words; "" without a record."""
        if not self.known_ms:
            return ""
        facts = {"low": min(self.known_ms), "high": self.highest_ms, "last": self.known_ms[-1]}
        text = gettext("The last 24 hours: from %(low).1f ms to %(high).1f ms, last %(last).1f ms")
        return text % facts

    @property
    def text(self) -> str:
        kinds: Counter[str] = Counter(day.kind for day in self.past.days)
        days = ", ".join(f"{kinds[kind]} {day.word}" for kind, day in DAY_WORDS.items() if kinds[kind])
        return gettext("90 days: %(days)s") % {"days": days}


def history() -> dict[str, Any]:
    """Return the context of `status/history.html`, in five queries, however long the history is."""
    now = timezone.now()
    rows = [draw_history(past, component_label(name), now) for name, past in histories().items()]
    return {"bar": BAR, "height": HEIGHT, "rows": rows}


def changes() -> dict[str, Any]:
    return {"changes": change_rows(transitions(limit=10))}


def kinds() -> list[tuple[str, int, object]]:
    """Return the legend of the bars: kind of day, height of its bar (negative: upwards), word."""
    return [(kind, -day.height, day.word) for kind, day in DAY_WORDS.items()]


def change_rows(rows: Sequence[TransitionRow]) -> list[tuple[object, object, TransitionRow]]:
    """Return each change with its component's label and new state in the reader's language."""
    return [(component_label(row.component), STATUS_WORDS[row.after].word, row) for row in rows]


def draw_history(past: ComponentHistory, label: object, now: datetime) -> HistoryRow:
    bars = _bars(past.days)
    return HistoryRow(
        past,
        label,
        now,
        bars=tuple(bar for bar in bars if bar.kind not in _PLAIN),
        paths=[(kind, path) for kind in _PLAIN if (path := _path(bars, kind))],
        lines=_lines(past.latency_ms),
    )


def _path(bars: Sequence[HistoryBar], kind: str) -> str:
    return "".join(f"M{bar.x} {bar.y}h{BAR}v{bar.height}h-{BAR}Z" for bar in bars if bar.kind == kind)


def _bars(days: Sequence[Day]) -> tuple[HistoryBar, ...]:
    heights = [DAY_WORDS[day.kind].height for day in days]
    return tuple(
        HistoryBar(PITCH * number, HEIGHT - height, height, day.kind, day)
        for number, (day, height) in enumerate(zip(days, heights, strict=True))
    )


def _lines(latency_ms: Sequence[float | None]) -> list[str]:
    """Return the points of each unbroken stretch; the highest value touches the top."""
    top = max((each for each in latency_ms if each is not None), default=0) or 1
    lines: list[list[str]] = [[]]
    for x, each in enumerate(latency_ms):
        if each is None:
            lines.append([])
        else:
            lines[-1].append(f"{x},{HEIGHT - 1 - (HEIGHT - 2) * each / top:.1f}")
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]
