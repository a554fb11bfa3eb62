"""The keeper: a process that waits until no process uses an embedded server any more, then stops the server.

Run as `python -I -S keeper.py USERS KEEPER POSTMASTER_PID` (three files), detached from the process that
started it. It imports only the standard library, since it lives as long as the server and should stay small.

Every user of the server holds a *shared* flock on USERS. The kernel releases it however the process ends, so
getting the exclusive lock proves that no user is left; a list of process ids could not prove that.
"""

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
_LINES = (
    8  # of postmaster.pid: pid, data folder, start time, port, socket folder, host, shared memory, status
)
_POLL_S = 0.005
_APPEAR_S = 0.5  # from starting PostgreSQL to its postmaster.pid; it takes about 10 ms
_START_S = 10.0
_STOP_S = 10.0  # for each of the two signals


def open_lock(path: Path) -> int:
    """Open a lock file, creating it if needed; return its descriptor, which no child process inherits."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, operation: int) -> bool:
    """Try to take the flock `operation` (LOCK_EX or LOCK_SH) without waiting; return whether it worked."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until `condition` is true; return its last value."""
    deadline = time.monotonic() + timeout_s
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return holds


def running_server(pid_file: Path) -> tuple[int, Path] | None:
    """Return process id and socket folder of the server that runs in the folder of `pid_file`, once ready.

    The file alone proves nothing: its process id may have been reused, and a copy of the folder contains the
    original's file. So the file must name this folder, and a process must listen on the socket.
    """
    lines = _lines(pid_file)
    if len(lines) < _LINES or lines[7].strip() != "ready" or lines[1] != str(pid_file.parent):
        return None
    folder = Path(lines[4])
    return (int(lines[0]), folder) if _accepts(folder / SOCKET) else None


def stop_server(pid_file: Path) -> None:
    """Stop the server, if it runs or is starting: first a fast shutdown, then an immediate one."""
    # If a user was killed while it started the server, the server may still be starting.
    if wait_until(pid_file.exists, _APPEAR_S):
        wait_until(lambda: not _starting(pid_file), _START_S)
    for how in (signal.SIGINT, signal.SIGQUIT):
        if server := running_server(pid_file):
            os.kill(server[0], how)
            os.kill(server[0], signal.SIGCONT)  # a suspended server cannot react
            wait_until(lambda: not pid_file.exists(), _STOP_S)


def keep(users: Path, keeper_lock: int, pid_file: Path) -> None:
    """Wait for the last user, stop the server, and release `keeper_lock`, the mark of a live keeper."""
    users_lock = open_lock(users)
    fcntl.flock(users_lock, fcntl.LOCK_EX)
    stop_server(pid_file)
    # In this order: the next process that gets the users' lock must see that there is no keeper.
    os.close(keeper_lock)
    os.close(users_lock)


def main(users: Path, keeper: Path, pid_file: Path) -> None:
    """Become the keeper, unless there is one already."""
    keeper_lock = open_lock(keeper)
    if try_lock(keeper_lock, fcntl.LOCK_EX):
        _detach()
        keep(users, keeper_lock, pid_file)


def _detach() -> None:
    """Leave the starter's process group and terminal, so that its Ctrl-C does not end the keeper."""
    if os.fork():
        os._exit(0)  # the child keeps the lock, and the caller does not wait
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _lines(pid_file: Path) -> list[str]:
    try:
        return pid_file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _starting(pid_file: Path) -> bool:
    lines = _lines(pid_file)
    return pid_file.exists() and (len(lines) < _LINES or lines[7].strip() == "starting")


def _accepts(path: Path) -> bool:
    """Return whether a process listens on the unix socket `path`: a killed server leaves the file behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
