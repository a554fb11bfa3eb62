"""The Makefile's check of the Python version, and the nightly run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A Python that claims another version, and can do nothing else.
OTHER = """#!/bin/sh
exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[2])' "$@"
"""


def install(tmp_path, version):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements-dev.txt").touch()
    python = tmp_path / "python"
    python.write_text(OTHER.format(python=sys.executable, version=version))
    python.chmod(0o755)
    return subprocess.run(
        ["make", "-C", tmp_path, "install", f"PYTHON={python}"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0)])
def test_python_without_locked_wheels_is_refused_with_the_way_out(tmp_path, version):
    result = install(tmp_path, version)

    assert result.returncode != 0
    assert f"Python 3.11 to 3.13 is needed; this is 3.{version[1]}" in result.stderr
    assert "PYTHON=python3.13" in result.stderr
    assert "Installing" not in result.stdout


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)])
def test_python_with_locked_wheels_is_accepted(tmp_path, version):
    result = install(tmp_path, version)

    assert "is needed" not in result.stderr
    assert "Installing" in result.stdout


MAKE = """#!/bin/sh
case "$*" in *install) ;; *SEED=1*) echo "two orders for one intent" >&2; exit 2 ;; *) echo fine ;; esac
"""


@pytest.fixture
def nightly(tmp_path):
    """Run `.ci/nightly` of a copy, with a `make` that fails for `make chaos` only."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "nightly", tmp_path / ".ci")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text(MAKE)
    make.chmod(0o755)
    path = f"{make.parent}:{os.environ['PATH']}"

    def run(*names):
        return subprocess.run(
            [tmp_path / ".ci" / "nightly", *names],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_nightly_run_reports_what_failed_and_why(nightly, tmp_path):
    result = nightly("stress", "chaos", "scale")

    assert result.returncode == 1
    summary = result.stdout.rsplit("\n\n", 1)[1].splitlines()
    assert [line.split()[:2] for line in summary[1:4]] == [
        ["passed", "stress"],
        ["FAILED", "chaos"],
        ["passed", "scale"],
    ]
    assert summary[4] == "3 long forms in 0 min, 1 failed"
    assert "| two orders for one intent" in result.stdout
    assert (tmp_path / "var/nightly/stress.log").read_text() == "fine\n"


def test_nightly_run_succeeds_and_refuses_an_unknown_name(nightly):
    assert nightly("stress", "faults").returncode == 0

    result = nightly("everything")
    assert result.returncode == 2
    assert "'everything'" in result.stderr
    assert "chaos-same" in result.stderr


def test_each_long_form_is_a_make_target():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run([ROOT / ".ci/nightly", "--list"], capture_output=True, text=True, check=True)

    assert {line.split()[2] for line in listed.stdout.splitlines()} <= targets
