"""Real processes of the site: gunicorn and management commands, on the suite's test database."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
Probes = Sequence[Mapping[str, Any]]


def environment(probes: Probes, runs: Path | None = None) -> dict[str, str]:
    """Return what makes `tests.healthcheck.site` the settings of a process on the test database."""
    params = connection.get_connection_params()
    database = {"NAME": params["dbname"], "HOST": str(params["host"]), "PORT": str(params["port"])}
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.healthcheck.site",
        "TEST_DATABASE": json.dumps(database),
        "TEST_PROBES": json.dumps(probes),
        "PROBE_RUNS": str(runs or ""),
    }


def python(*arguments: str, probes: Probes) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's folder to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=ROOT,
        env=environment(probes),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


class Site:
    """The web process as it is run for real, with four threads a worker."""

    def __init__(self, probes: Probes, runs: Path, log: Path, *, workers: int = 2) -> None:
        self.runs_file, self.log = runs, log
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listening, log.open("w") as output:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            fd = listening.fileno()
            options = ["--workers", str(workers), "--threads", "4", "--bind", f"fd://{fd}"]
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "--config=python:tradingsite.gunicorn_config",
                    *options,
                    "tradingsite.wsgi",
                ],
                cwd=ROOT,
                env=environment(probes, runs),
                pass_fds=[fd],
                stdout=output,
                stderr=output,
            )

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=DEADLINE_S, **options)

    def runs(self) -> Counter[tuple[str, ...]]:
        """Return how often each probe ran in each process."""
        return Counter(tuple(line.split()) for line in self.runs_file.read_text().splitlines())

    def threads(self) -> int:
        return sum(worker.num_threads() for worker in psutil.Process(self.process.pid).children())


@contextmanager
def served(probes: Probes, folder: Path) -> Iterator[Site]:
    """Serve the site until the end of the block, and see that it can be stopped."""
    site = Site(probes, folder / "runs", folder / "log")
    try:
        site.get("/livez").raise_for_status()
        yield site
        site.process.send_signal(signal.SIGTERM)
        assert site.process.wait(DEADLINE_S) == 0, site.log.read_text()
    finally:
        site.process.kill()
        site.process.wait()
