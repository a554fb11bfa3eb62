"""Starts the server of a data folder, and creates the folder. The caller holds the `.start` lock."""

import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tradingsite.embedded_postgres import keeper
from tradingsite.embedded_postgres.folder import REMEDIES, EmbeddedPostgresError, socket_folder
from tradingsite.embedded_postgres.programs import run_program

_SETTINGS = {
    "port": "5432",  # part of the socket's name; set, since PGPORT would change it
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",
}
_INITDB = (
    "--username=postgres",
    "--auth=trust",  # only the folder's owner and root can reach the socket
    "--no-sync",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
_START_S = 60
_RETRY_S = 5.0


def start_server(data: Path, settings: Mapping[str, str]) -> Path:
    """Start the server, creating the data folder if needed; return the folder of its socket.

    Raises:
        EmbeddedPostgresError: it does not start; the message says why.
    """
    if not (data / "PG_VERSION").exists():
        _create(data)
    _remove_foreign_pid_file(data)
    own = {"unix_socket_directories": str(socket_folder(data))}
    flags = shlex.join(f"--{name}={value}" for name, value in {**_SETTINGS, **settings, **own}.items())
    log, pid_file = data / "server.log", data / "postmaster.pid"
    deadline = time.monotonic() + _RETRY_S
    while True:
        failure: EmbeddedPostgresError | None = None
        try:
            run_program(
                "pg_ctl", "-D", data, "start", "--wait", f"-t{_START_S}", "-l", log, "-o", flags, folder=data
            )
        except EmbeddedPostgresError as error:
            failure = error
        if server := keeper.running_server(pid_file):
            return server[1]
        # While the file exists, a server whose starter was killed may still be starting, or the last
        # processes of a killed server may still be ending.
        if not pid_file.exists() or time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"{failure or 'PostgreSQL ended.'}\n{_tail(log)}") from failure
        time.sleep(0.05)


def _create(data: Path) -> None:
    """Create the data folder under a temporary name, then rename it, so that a kill leaves no broken folder.

    The name is new each time, since programs started by a killed process may still write to the old one.
    """
    if data.exists() and any(data.iterdir()):
        raise EmbeddedPostgresError(
            f"{data} is neither empty nor PostgreSQL's: it has no PG_VERSION.\n{REMEDIES}"
        )
    prefix = f"{data.name}.new-"
    for left_behind in data.parent.iterdir():
        if left_behind.name.startswith(prefix):
            shutil.rmtree(left_behind, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=data.parent))
    run_program("initdb", "-D", new, *_INITDB, folder=new)
    new.rename(data)


def _remove_foreign_pid_file(data: Path) -> None:
    """Remove a `postmaster.pid` that does not belong to our server.

    PostgreSQL itself removes it only if no process has that id.
    """
    pid_file = data / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return
    if lines[1:2] == [str(data)] and _is_server(lines[0], data):
        return
    for name in (pid_file.name, keeper.SOCKET, f"{keeper.SOCKET}.lock"):
        (data / name).unlink(missing_ok=True)


def _is_server(pid: str, data: Path) -> bool:
    """Return whether process `pid` may be a PostgreSQL server on `data`; True if we may not look."""
    import psutil  # only a left pid file needs it

    try:
        process = psutil.Process(int(pid))
        return process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline()
    except psutil.AccessDenied:
        return True
    except (ValueError, psutil.NoSuchProcess):
        return False


def _tail(log: Path) -> str:
    """Return the last lines of the log, which say more than pg_ctl does."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    except FileNotFoundError:
        return ""
