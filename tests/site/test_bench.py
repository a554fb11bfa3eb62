"""The bench itself: every bar gets a row, whatever a part does."""

import json
import time
from contextlib import suppress

import psutil
import pytest

from benchmarks.__main__ import main
from benchmarks.bars import BARS, Bar
from benchmarks.parts import PARTS, Part, run_part
from benchmarks.report import Figure, Row, markdown

RATIO = Bar("config.hit", "a hit", "ns", "a dict", 10)
RATE = Bar("health.own", "an answer", "1/s", "a bare view", 0.9, at_least=True)
OURS = Bar("scheduler.late", "lateness", "ms", "", 50, "ours")


@pytest.fixture
def part(tmp_path, monkeypatch):
    """Make the part `masking`, which has one bar, out of a few lines of Python."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str, limit_s: float = 60) -> Part:
        (tmp_path / "made_part.py").write_text(source)
        return Part("masking", "made_part", limit_s, "no time")

    return make


def row_of(part: Part, tmp_path) -> Row:
    (row,) = run_part(part, tmp_path / "log")
    return row


def ended(pid: int) -> bool:
    """Wait until the process has ended; one that nobody waits for stays as a zombie."""
    ends_s = time.monotonic() + 30
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > ends_s:
                return False
    return True


MEASURES = "from benchmarks.report import measured\nmeasured('masking.hostile', {ms})\n"


@pytest.mark.parametrize(
    ("bar", "figure", "status"),
    [
        (RATIO, Figure("config.hit", 100, 10), "met"),
        (RATIO, Figure("config.hit", 101, 10), "missed"),
        (RATE, Figure("health.own", 90, 100), "met"),
        (RATE, Figure("health.own", 89, 100), "missed"),
        (OURS, Figure("scheduler.late", 50, 1), "met"),
        (OURS, Figure("scheduler.late", 58, 900), "missed"),
    ],
)
def test_a_figure_is_judged_by_its_bar(bar, figure, status):
    row = Row.of(bar, figure)

    assert (row.status, row.ours) == (status, figure.ours)


def test_a_missed_bar_is_a_row_with_its_figure(part, tmp_path):
    row = row_of(part(MEASURES.format(ms=51)), tmp_path)

    assert (row.status, row.ours, row.bar) == ("missed", 51, "<= 50 ms")


def test_a_part_that_crashes_is_a_failed_row_with_its_error(part, tmp_path):
    row = row_of(part("raise OSError('no room')"), tmp_path)

    assert row.status == "failed"
    assert row.note.startswith("OSError: no room; see ")


def test_what_was_measured_before_a_crash_is_kept(part, tmp_path):
    row = row_of(part(MEASURES.format(ms=7) + "raise OSError('no room')"), tmp_path)

    assert (row.status, row.ours) == ("met", 7)


def test_a_part_that_does_not_measure_its_bar_is_a_failed_row(part, tmp_path):
    assert row_of(part(""), tmp_path).status == "failed"


def test_a_part_that_hangs_is_a_failed_row(part, tmp_path):
    row = row_of(part("import threading\nthreading.Event().wait()", limit_s=0.2), tmp_path)

    assert row.status == "failed"
    assert row.note.startswith("no end within 0.2 s")


def test_a_part_leaves_no_process_behind(part, tmp_path):
    child = tmp_path / "child"
    source = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        f"pathlib.Path({str(child)!r}).write_text(str(child.pid))\n"
        "raise OSError('no room')\n"
    )

    run_part(part(source), tmp_path / "log")

    assert ended(int(child.read_text()))


def test_the_other_parts_run_after_one_crashed_and_the_status_says_so(part, tmp_path, capsys):
    broken = part("raise OSError('no room')")
    (tmp_path / "fine_part.py").write_text(MEASURES.format(ms=51).replace("masking.hostile", "page.size"))
    fine = Part("page", "fine_part", 60, "no time")

    status = main(["--only", "masking", "page"], [broken, fine], tmp_path)

    report = json.loads((tmp_path / "bench.json").read_text())
    states = {row["key"]: row["status"] for row in report["rows"]}
    assert status == 1
    assert states == {"page.speed": "failed", "page.size": "met", "masking.hostile": "failed"}
    assert set(report["versions"]) == {"Python", "Django", "PostgreSQL"}
    printed = capsys.readouterr().out
    assert "failed: OSError: no room" in printed
    assert "Traceback" not in printed


def test_missed_bars_alone_are_no_failure(part, tmp_path):
    assert main(["--only", "masking"], [part(MEASURES.format(ms=51))], tmp_path) == 0


def test_the_markdown_table_is_made_from_the_report(part, tmp_path, capsys):
    made = part(MEASURES.format(ms=51))
    main(["--only", "masking"], [made], tmp_path)
    capsys.readouterr()

    assert main(["--markdown"], [made], tmp_path) == 0

    printed = capsys.readouterr().out
    assert printed.strip() == markdown(json.loads((tmp_path / "bench.json").read_text()))
    assert "| 51 ms |  |  | <= 50 ms | missed |" in printed


def test_every_bar_has_a_part_or_says_who_measures_it():
    parts = {part.name for part in PARTS}

    assert [bar.key for bar in BARS if (bar.part in parts) == bool(bar.elsewhere)] == []
    assert len({bar.key for bar in BARS}) == len(BARS)
