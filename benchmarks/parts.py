"""Runs the parts of the bench, each as a process of its own that may fail without the others."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import BARS
from benchmarks.report import ROWS_FILE, Row, read_figures

ENDS_WITHIN_S = 20
"""How long a part that is interrupted may take to stop what it started."""


@dataclass(frozen=True)
class Part:
    """`python -m MODULE`, and how long it may take on a slow machine."""

    name: str
    module: str
    limit_s: float
    about: str


PARTS = (
    Part("startup", "benchmarks.startup", 180, "30 s"),
    Part("config", "benchmarks.config", 240, "50 s"),
    Part("health", "benchmarks.health", 300, "2 min"),
    Part("page", "benchmarks.page", 120, "30 s"),
    Part("scheduler", "benchmarks.scheduler", 400, "3 min 30 s"),
    Part("markets", "benchmarks.markets", 120, "20 s"),
    Part("masking", "benchmarks.masking", 60, "3 s"),
)


def run_part(part: Part, log: Path) -> list[Row]:
    """Run a part to its end and return the row of each of its bars. Its output goes to `log`."""
    with tempfile.TemporaryDirectory() as folder:
        figures_file = Path(folder) / "rows"
        error = _error(part, log, figures_file)
        figures = {figure.key: figure for figure in read_figures(figures_file)}
    bars = [bar for bar in BARS if bar.part == part.name]
    return [Row.of(bar, figures.get(bar.key), error or "the part did not measure it") for bar in bars]


def rows_elsewhere() -> list[Row]:
    """Return the bars that no part measures, each with who does."""
    return [Row.of(bar, None) for bar in BARS if bar.elsewhere]


def in_order(rows: Iterable[Row]) -> list[Row]:
    order = [bar.key for bar in BARS]
    return sorted(rows, key=lambda row: order.index(row.key))


def _error(part: Part, log: Path, figures_file: Path) -> str:
    """Return why the part failed; empty when it ended well."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", part.module],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, ROWS_FILE: str(figures_file)},
            start_new_session=True,
        )
        try:
            status = process.wait(part.limit_s)
        except subprocess.TimeoutExpired:
            return f"no end within {part.limit_s:g} s; see {log}"
        finally:
            _stop(process)
    return f"{_last_line(log.read_text(errors='replace').splitlines())}; see {log}" if status else ""


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt a part, so that it ends its own processes; then kill whatever is left of its session."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_WITHIN_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(lines: Sequence[str]) -> str:
    """Return the last line that says something: of a traceback, its error."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
