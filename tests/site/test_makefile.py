"""The first thing a new machine meets: the Makefile's own check."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A Python that says it is another one, and can do nothing but that.
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
def test_a_python_without_locked_wheels_is_refused_with_the_way_out(tmp_path, version):
    result = install(tmp_path, version)

    assert result.returncode != 0
    assert f"Python 3.11 to 3.13 is needed; this is 3.{version[1]}" in result.stderr
    assert "PYTHON=python3.13" in result.stderr
    assert "Installing" not in result.stdout


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9)])
def test_a_python_with_locked_wheels_is_taken(tmp_path, version):
    result = install(tmp_path, version)

    assert "is needed" not in result.stderr
    assert "Installing" in result.stdout
