"""The real commands, on databases that they migrate."""

import signal

from tests.databases import Database
from tests.forked import Command
from tests.site.processes import own_environ

PLANTED = "tests.upgrade.settings"
WITHIN_S = 60


def start(*command: str, **environ: str) -> Command:
    """Start a management command, or a module."""
    words = command if command[0] == "-m" else ("manage.py", *command)
    return Command(*words, env=own_environ(**environ))


def start_on(database: Database, *command, options="", settings="tradingsite.settings") -> Command:
    """Start a management command, or a module, on a database."""
    url = f"{database.url}&options={options}" if options else database.url
    return start(*command, DATABASE_URL=url, DJANGO_SETTINGS_MODULE=settings)


def run(database: Database, *command, **how) -> str:
    """Run a management command, or a module, on a database; return its output."""
    return output_of(start_on(database, *command, **how))


def output_of(*processes: Command) -> str:
    """Return the output of processes that must succeed, once all of them have ended."""
    outputs = []
    for process in processes:
        outputs.append(process.output.read())
        process.output.close()
    assert [process.wait(WITHIN_S) for process in processes] == [0] * len(processes), outputs
    return "".join(outputs)


def until(process: Command, text: str) -> str:
    """Read a process's output up to a line that contains `text`; return all of it."""
    lines = []
    for line in process.output:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def kill(process: Command) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(WITHIN_S)
    process.output.close()
