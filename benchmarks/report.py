"""The rows of `make bench`: from what the parts measured to a table, Markdown and JSON."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.bars import Bar, bar
from benchmarks.timing import say
from healthcheck.terminal import table as aligned

Status = Literal["met", "missed", "not measured", "failed"]
HEADINGS = ("what", "ours", "peer", "ratio", "bar", "")
ROWS_FILE = "BENCH_ROWS"
"""Names, in a part's environment, the file that takes its figures as JSON lines."""


@dataclass(frozen=True)
class Figure:
    """What a part measured for the bar `key`, in the bar's unit."""

    key: str
    ours: float
    peer: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


@dataclass(frozen=True)
class Row:
    """One line of the table, as it is kept in JSON."""

    key: str
    name: str
    ours: float | None
    unit: str
    peer_name: str
    peer: float | None
    ratio: float | None
    bar: str
    status: Status
    note: str = ""

    @classmethod
    def of(cls, bar: Bar, figure: Figure | None, error: str = "") -> Self:
        """Judge a figure. Without one, the row says what stopped its part, or who measures it instead."""
        if figure is None:
            status: Status = "failed" if error else "not measured"
            note = error or bar.elsewhere
            return cls(bar.key, bar.name, None, bar.unit, bar.peer, None, None, bar.text, status, note)
        judged = figure.ratio if bar.judged == "ratio" else figure.ours
        if judged is None:
            raise ValueError(f"{bar.key} is judged by a ratio, and its peer is {figure.peer!r}")
        return cls(
            bar.key, bar.name, figure.ours, bar.unit, bar.peer, figure.peer, figure.ratio, bar.text,
            "met" if bar.met(judged) else "missed", figure.note,
        )  # fmt: skip

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            _figure(self.ours, self.unit),
            " ".join(filter(None, [_figure(self.peer, self.unit), self.peer_name])),
            "" if self.ratio is None else f"{self.ratio:.2f} x",
            self.bar,
            f"failed: {self.note}" if self.status == "failed" else self.status,
        )


def measured(key: str, ours: float, peer: float | None = None, note: str = "") -> None:
    """Print a figure next to its bar, and hand it to `make bench` if that started this process."""
    figure = Figure(key, ours, peer, note)
    row = Row.of(bar(key), figure)
    say("  " + " | ".join(filter(None, row.cells)) + (f" ({note})" if note else ""))
    if name := os.environ.get(ROWS_FILE):
        with Path(name).open("a") as rows:
            rows.write(json.dumps(asdict(figure)) + "\n")


def read_figures(file: Path) -> list[Figure]:
    """Return what a part has measured so far, also when it crashed afterwards."""
    if not file.exists():
        return []
    return [Figure(**json.loads(line)) for line in file.read_text().splitlines()]


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out for a terminal; notes stand below, in the rows' order."""
    return "\n".join([*aligned([HEADINGS, *(row.cells for row in rows)]), *_notes(rows)])


def markdown(report: Mapping[str, Any]) -> str:
    """Return the table of docs/performance.md from a report as it was written in JSON."""
    rows = [Row(**row) for row in report["rows"]]
    head = [
        f"{report['measured_at'][:10]}, {_versions(report)}, {report['cores']} cores, load before it "
        f"{report['load_before']}.",
        "",
        f"| {' | '.join([*HEADINGS[:-1], 'verdict'])} |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(f"| {' | '.join(row.cells)} |" for row in rows), *_notes(rows, "- ")])


def summary(report: Mapping[str, Any]) -> str:
    """Count the verdicts, in one line."""
    states = [row["status"] for row in report["rows"]]
    counts = [f"{states.count(state)} {state}" for state in ("met", "missed", "not measured", "failed")]
    return f"{_versions(report)}, {report['took_s']:.0f} s: {', '.join(counts)}"


def _versions(report: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in report["versions"].items())


def _notes(rows: Iterable[Row], bullet: str = "  ") -> list[str]:
    notes = [f"{bullet}{row.name}: {row.note}" for row in rows if row.note and row.status != "failed"]
    return ["", *notes] if notes else []


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
