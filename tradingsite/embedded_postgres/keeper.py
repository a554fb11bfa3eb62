"""The keeper: waits until nobody uses an embedded server any more, stops it, and ends.

Run as `python -I -S keeper.py USERS KEEPER POSTMASTER_PID` (three files), detached from whoever started it.
It imports the standard library only, because it lives as long as the server and shall stay small.

Every user of the server holds a *shared* flock on USERS. The kernel drops it however the process ends, so the
exclusive lock, once granted, proves that nobody is left; no list of process ids could.
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
_APPEAR_S = 0.5  # from the start of PostgreSQL's program to its postmaster.pid, which takes some 10 ms
_START_S = 10.0
_STOP_S = 10.0  # for each way of stopping


def open_lock(path: Path) -> int:
    """Open a lock file, made when missing, and return its descriptor; no child process inherits it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, operation: int) -> bool:
    """Take the flock `operation` (LOCK_EX or LOCK_SH) if it is to be had at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until `condition` holds, and return whether it does."""
    deadline = time.monotonic() + timeout_s
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return holds


def running_server(pid_file: Path) -> tuple[int, Path] | None:
    """Return process id and socket folder of the server that runs on `pid_file`'s folder and is ready.

    The file alone proves nothing: its number may be another program's by now, and a copy of the folder has
    the original's. So the folder must be its own, and somebody must listen on the socket.
    """
    lines = _lines(pid_file)
    if len(lines) < _LINES or lines[7].strip() != "ready" or lines[1] != str(pid_file.parent):
        return None
    folder = Path(lines[4])
    return (int(lines[0]), folder) if _accepts(folder / SOCKET) else None


def stop_server(pid_file: Path) -> None:
    """Stop the server, if one runs or is about to: fast, then, should that not do, at once."""
    # A user killed while it started the server leaves one that goes on starting.
    if wait_until(pid_file.exists, _APPEAR_S):
        wait_until(lambda: not _starting(pid_file), _START_S)
    for how in (signal.SIGINT, signal.SIGQUIT):
        if server := running_server(pid_file):
            os.kill(server[0], how)
            os.kill(server[0], signal.SIGCONT)  # a suspended server could not stop
            wait_until(lambda: not pid_file.exists(), _STOP_S)


def keep(users: Path, keeper_lock: int, pid_file: Path) -> None:
    """Wait for the last user, stop the server, give back `keeper_lock`, which says that there is a keeper."""
    users_lock = open_lock(users)
    fcntl.flock(users_lock, fcntl.LOCK_EX)
    stop_server(pid_file)
    # In this order: whoever gets the users' lock next must find no keeper, and start one.
    os.close(keeper_lock)
    os.close(users_lock)


def main(users: Path, keeper: Path, pid_file: Path) -> None:
    """Become the keeper, unless there is one."""
    keeper_lock = open_lock(keeper)
    if try_lock(keeper_lock, fcntl.LOCK_EX):
        _detach()
        keep(users, keeper_lock, pid_file)


def _detach() -> None:
    """Leave the process group and the terminal of whoever started us: their Ctrl-C is not for us."""
    if os.fork():
        os._exit(0)  # the lock lives on in the child, and nobody has to wait for it
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
    """Return whether somebody listens on the unix socket `path`: a killed server leaves the file behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
