"""`./manage.py` and the documentation's commands, as typed on a machine without Django."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.site.processes import own_environ

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = re.findall(r"`(\./manage\.py [^`]+)`", PAGES[0].read_text())
PLACEHOLDERS = {"runjob NAME": "runjob cleanup_old_data"}
# What each prints once it does its work, whichever arguments the page gives it.
PRINTS = {
    "trade": "Halted",
    "sysconfig": "stop_loss_pct",
    "jobs": "check_volatility",
    "runjob": "cleanup_old_data: succeeded",
    "healthcheck": "scheduler",
    "runscheduler": "scheduler.leading",
    "sandbox": "sandbox.started",
}
LASTING = {"runscheduler", "sandbox"}
WITHIN_S = 60


@pytest.fixture(scope="module")
def system_python(tmp_path_factory):
    """A Python without any package, as a machine's own is."""
    folder = tmp_path_factory.mktemp("system")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python3"


@pytest.fixture(scope="module")
def environ(system_python, databases, tmp_path_factory):
    """The environment of a migrated site, with the system's Python first in PATH."""
    return own_environ(
        VAR_DIR=str(tmp_path_factory.mktemp("var")),
        DATABASE_URL=databases.migrated().url,
        PATH=f"{system_python.parent}:{os.environ['PATH']}",
        PYTHONUNBUFFERED="1",
        SCHEDULER_GRACE_S="1",
    )


@pytest.mark.parametrize("command", WRITTEN)
def test_command_of_the_readme_runs_as_written(command, environ):
    for name, value in PLACEHOLDERS.items():
        command = command.replace(name, value)
    kind = command.split()[1]
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        output = ""
        while PRINTS[kind] not in output and (line := process.stdout.readline()):
            output += line
        if kind in LASTING:
            process.terminate()
        output += process.stdout.read()

    assert PRINTS[kind] in output
    assert "Traceback" not in output
    assert kind in LASTING or process.returncode == (1 if kind == "healthcheck" else 0)


def test_readme_names_each_kind_of_command():
    assert {command.split()[1] for command in WRITTEN} == set(PRINTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_documented_command_starts_with_its_folder(page):
    assert re.findall(r"(?:`|^\$ )manage\.py \w.*", page.read_text(), re.MULTILINE) == []


def test_manage_runs_from_another_folder_with_any_python_and_its_options(system_python, tmp_path):
    show = ["shell", "-v", "0", "-c", "import sys; print(sys.warnoptions)"]
    result = subprocess.run(
        [system_python, "-W", "error", ROOT / "manage.py", *show],
        cwd=tmp_path,
        env=own_environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout == "['error']\n"


def test_server_that_cannot_start_is_reported_with_the_ways_out(tmp_path):
    (tmp_path / "file").touch()
    result = subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate"],
        env=own_environ(VAR_DIR=str(tmp_path), EMBEDDED_POSTGRES_DIR=str(tmp_path / "file" / "postgres")),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )

    assert result.returncode == 1
    assert "set DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def checkout(tmp_path):
    """A checkout that needs Django."""
    shutil.copy(ROOT / "manage.py", tmp_path)
    (tmp_path / "tradingsite").mkdir()
    (tmp_path / "tradingsite" / "env.py").write_text("import django")
    return tmp_path


@pytest.mark.parametrize("state", ["missing", "empty", "a link to an empty one", "a link to nothing"])
def test_missing_requirements_are_reported_with_what_to_do(checkout, system_python, state):
    if state == "empty":
        venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    elif state != "missing":
        leads_to = system_python.parent.parent if state == "a link to an empty one" else checkout / "gone"
        (checkout / ".venv").symlink_to(leads_to)

    for python in {system_python, checkout / ".venv" / "bin" / "python"}:
        if python.exists():
            result = subprocess.run(
                [python, checkout / "manage.py", "check"],
                capture_output=True,
                text=True,
                check=False,
                timeout=WITHIN_S,
            )
            assert result.returncode == 1
            assert result.stderr.startswith("No module named 'django'. Run `make install`")
            assert len(result.stderr.splitlines()) == 1


def test_broken_import_of_our_own_shows_its_traceback(checkout):
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    (checkout / "tradingsite" / "env.py").write_text("import tradingsite.gone")

    result = subprocess.run(
        [checkout / ".venv" / "bin" / "python", checkout / "manage.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )

    assert "Traceback" in result.stderr
    assert "No module named 'tradingsite.gone'" in result.stderr
