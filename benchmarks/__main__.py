"""`make bench`: every bar next to its peer in one table, and the same as JSON in var/bench.json.

`--only config health` measures these parts; `--markdown` prints a report that is there already for
docs/performance.md and measures nothing. Exit status 1: a part failed. A missed bar is a figure, no failure.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.parts import PARTS, Part, in_order, rows_elsewhere, run_part
from benchmarks.report import Row, markdown, summary, table
from benchmarks.timing import say
from tradingsite.embedded_postgres.programs import binaries

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "var"


def main(words: Sequence[str], parts: Sequence[Part] = PARTS, folder: Path = FOLDER) -> int:
    """Measure, print and write what the words say; return the exit status."""
    options = _options(words, parts)
    file = options.json or folder / "bench.json"
    if options.markdown:
        say(markdown(json.loads(file.read_text())))
        return 0
    chosen = [part for part in parts if not options.only or part.name in options.only]
    report = _measure(chosen, folder / "bench", everything=not options.only)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n")
    say(f"\n{table([Row(**row) for row in report['rows']])}\n\n{summary(report)}\n{file}")
    return int(any(row["status"] == "failed" for row in report["rows"]))


def _options(words: Sequence[str], parts: Sequence[Part]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure every bar.")
    parser.add_argument("--only", nargs="+", choices=[part.name for part in parts], help="these parts")
    parser.add_argument("--json", type=Path, help="the report's file; default: var/bench.json")
    parser.add_argument("--markdown", action="store_true", help="print the report of an earlier run")
    return parser.parse_args(words)


def _measure(parts: Sequence[Part], logs: Path, *, everything: bool) -> dict[str, Any]:
    """Run the parts one after the other, and return the report as JSON takes it."""
    begun, begun_s, load = datetime.now(UTC), time.monotonic(), os.getloadavg()[0]
    rows = rows_elsewhere() if everything else []
    for part in parts:
        say(f"{part.name}: about {part.about} ...")
        rows += run_part(part, logs / f"{part.name}.log")
    return {
        "measured_at": begun.isoformat(timespec="seconds"),
        "took_s": round(time.monotonic() - begun_s, 1),
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "versions": {
            "Python": platform.python_version(),
            "Django": version("django"),
            "PostgreSQL": _postgres_version(),
        },
        "rows": [asdict(row) for row in in_order(rows)],
    }


def _postgres_version() -> str:
    """Return the version of the server that the parts start for themselves."""
    command = [str(binaries() / "postgres"), "--version"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return found.stdout.split()[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
