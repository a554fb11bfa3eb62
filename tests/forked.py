"""Commands as processes of their own, forked from one that has imported the libraries.

Each reads its own environment and sets up Django by itself, as from a shell, for a quarter of the CPU.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# One server of forks serves all tests of a worker, whichever of them comes first.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    [
        *("apscheduler.schedulers.background", "django.core.management", "django.db.models", "django.forms"),
        *(
            "django.template.defaulttags",
            "prometheus_client",
            "psycopg_pool",
            "pydantic_settings",
            "requests",
        ),
        *(
            "structlog",
            "tenacity",
            "tradingsite.embedded_postgres.server",
            "tests.embedded_postgres.processes",
        ),
    ]
)


def end_server() -> None:
    """End the server of forks, if it runs, so that `time` counts the CPU of the processes that it forked."""
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # no public way to end it
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


class Command:
    """`python WORD…` in a process of its own; what it prints is collected by a thread."""

    def __init__(self, *words: str, env: Mapping[str, str]) -> None:
        output, its_output = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(words, dict(env), its_output))
        self._process.start()
        its_output.close()
        self.pid = self._process.pid or 0
        # A pipe of bytes is all that `Connection` is here: the process writes text.
        self.output = os.fdopen(os.dup(output.fileno()))
        output.close()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, within_s: float) -> int:
        """Return the exit code; that of a process ended by a signal is negative."""
        self._process.join(within_s)
        assert self._process.exitcode is not None, f"it has not ended within {within_s:g} s"
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _run(words: tuple[str, ...], env: dict[str, str], output: Connection) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(ROOT)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    if words[0] == "-m":
        sys.argv = list(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")
