"""Real processes that use an embedded server, and what runs on a data folder."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from tests.forked import ROOT, context
from tradingsite.embedded_postgres import folder
from tradingsite.embedded_postgres.keeper import open_lock, try_lock, wait_until
from tradingsite.embedded_postgres.server import EmbeddedPostgres

DEADLINE_S = 60.0
SETTINGS = {"fsync": "off"}


class User:
    """A process that uses the server on `data` until `leave` or `kill`."""

    def __init__(self, data: Path, *, group: int = 0) -> None:
        self._pipe, its_end = context.Pipe()
        self._process = context.Process(target=_use, args=(data, group, its_end), daemon=True)
        self._process.start()
        its_end.close()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def started(self) -> "User":
        assert self._pipe.poll(DEADLINE_S)
        assert self._pipe.recv() == "started"
        return self

    def leave(self) -> None:
        self._pipe.close()
        self._process.join(DEADLINE_S)
        assert not self._process.is_alive()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, how)
        self.leave()


def _use(data: Path, group: int, pipe: Connection) -> None:
    os.setpgid(0, group)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background job
    EmbeddedPostgres(data, SETTINGS).use()
    pipe.send("started")
    with suppress(EOFError):
        pipe.recv()


def run_python(script: str, *arguments: str | Path, **environment: str) -> str:
    """Run a script in a fresh interpreter, and return what it printed; a failure shows its traceback."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def keepers(data: Path) -> list[psutil.Process]:
    return [process for process, _ in running("python", f"{data}.keeper")]


def kill_keeper(data: Path) -> None:
    [keeper] = keepers(data)
    keeper.kill()
    assert wait_until(lambda: is_free(data.with_name(f"{data.name}.keeper")), DEADLINE_S)


def servers(data: Path) -> list[psutil.Process]:
    """Return the postmasters on a folder. A child that was just forked looks like its parent."""
    found = running("postgres", str(data))
    return [process for process, parent in found if parent not in {postmaster.pid for postmaster, _ in found}]


def running(name: str, argument: str) -> list[tuple[psutil.Process, int]]:
    """Return the processes of that name and argument, each with its parent's id."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.name().startswith(name) and argument in process.cmdline():
                found.append((process, process.ppid()))
    return found


def all_gone(data: Path) -> bool:
    """Wait for the end of server and keeper, and return whether both are gone."""
    # The cheap checks first: listing every process takes milliseconds.
    return (
        wait_until(lambda: not (data / "postmaster.pid").exists(), DEADLINE_S)
        and wait_until(lambda: is_free(data.with_name(f"{data.name}.keeper")), DEADLINE_S)
        and wait_until(lambda: not servers(data) and not keepers(data), DEADLINE_S)
    )


def stop_using(server: EmbeddedPostgres) -> None:
    """Stop using a server in this process, and wait until it has stopped."""
    server.doubt()
    if server._users is not None:
        os.close(server._users)
        server._users = None
        assert all_gone(server.data)
        assert wait_until(lambda: is_free(server.lock_file("keeper")), DEADLINE_S)
    if server.data.exists() and (socket_folder := folder.socket_folder(server.data)) != server.data:
        socket_folder.rmdir()


def is_free(lock: Path) -> bool:
    descriptor = open_lock(lock)
    try:
        return try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)
