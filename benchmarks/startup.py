"""The CPU that `./manage.py check` takes, next to the same command of a fresh `django-admin startproject`."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.report import measured

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 7


def main() -> None:
    """Run both in turn. The first run of each writes the .pyc files and does not count."""
    environment = _plain(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        _cpu_s(["-m", "django", "startproject", "fresh", folder], ROOT, environment)
        found: dict[Path, list[float]] = {ROOT: [], Path(folder): []}
        for round_number in range(ROUNDS + 1):
            for place, times in found.items():
                used_s = _cpu_s(["manage.py", "check"], place, environment)
                if round_number:
                    times.append(used_s)
    ours, fresh = map(statistics.median, found.values())
    measured("startup.check", ours, fresh, f"user and sys, the median of {ROUNDS} runs in turn")


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would name other settings, or keep Python from writing .pyc files."""
    left_out = {"DJANGO_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in environment.items() if name not in left_out}


def _cpu_s(arguments: list[str], place: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds of user and sys that a process took, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=place, env=environment, check=True, capture_output=True)  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
