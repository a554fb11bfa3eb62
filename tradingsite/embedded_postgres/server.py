"""The PostgreSQL server of one data folder, started by the first process that needs it and shared by all."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tradingsite.embedded_postgres import keeper, place
from tradingsite.embedded_postgres.folder import EmbeddedPostgresError, os_errors_explained, refuse_characters
from tradingsite.embedded_postgres.start import start_server

_LOCK_WAIT_S = 90.0  # longer than a start (60 s) or a stop (30 s) can take


class EmbeddedPostgres:
    """The server of one data folder. Safe with threads and forks; does nothing before `use()`.

    Three lock files are next to the requested folder: `.users` (shared by all users, see `keeper`), `.start`
    (held while looking for the server and starting it) and `.keeper` (held by the keeper).
    """

    def __init__(
        self, data: Path, settings: Mapping[str, str] = MappingProxyType({}), *, relocatable: bool = False
    ) -> None:
        """Describe the server in folder `data`; `settings` override the usual parameters.

        If PostgreSQL may not enter the folder, the data of a `relocatable` server are elsewhere (see
        `place`); `self.data` is correct once the server is in use.
        """
        self.data = self._requested = data.resolve()
        self._relocatable = relocatable
        self._settings = settings
        self._users: int | None = None
        self._socket_folder: Path | None = None

    def use(self) -> Path:
        """Make the server run, register this process as a user, and return the folder of the socket.

        Takes microseconds while the server runs, 0.1 s to start it, 0.5 s with a new data folder.

        Raises:
            EmbeddedPostgresError: it cannot run here.
        """
        folder = self._socket_folder
        # A killed server leaves its socket file; `doubt` is called when connecting then fails.
        if folder and (folder / keeper.SOCKET).exists():
            return folder
        refuse_characters(self._requested)
        with os_errors_explained():
            self._requested.parent.mkdir(parents=True, exist_ok=True)
            with self._exclusively("start"):  # also between threads: each opens its own descriptor
                if self._relocatable:
                    self.data = place.settle(self._requested)
                if self._users is None:
                    self._users = self._lock("users", fcntl.LOCK_SH)
                self._ensure_keeper()  # before the server, so that an interrupted start is cleaned up too
                self._socket_folder = folder = self.running() or start_server(self.data, self._settings)
        return folder

    def doubt(self) -> None:
        """Check again at the next `use()` whether the server runs. Call it after a failed connection."""
        self._socket_folder = None

    def running(self) -> Path | None:
        """Return the socket folder of the server that runs in this folder and is ready; None without one."""
        server = keeper.running_server(self.data / "postmaster.pid")
        return server[1] if server else None

    def lock_file(self, suffix: str) -> Path:
        return self._requested.with_name(f"{self._requested.name}.{suffix}")

    def _ensure_keeper(self) -> None:
        descriptor = keeper.open_lock(self.lock_file("keeper"))
        try:
            missing = keeper.try_lock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)
        if missing:
            files = (self.lock_file("users"), self.lock_file("keeper"), self.data / "postmaster.pid")
            command: list[str | Path] = [sys.executable, "-I", "-S", keeper.__file__, *files]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - the command is ours

    @contextmanager
    def _exclusively(self, suffix: str) -> Iterator[None]:
        descriptor = self._lock(suffix, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, suffix: str, operation: int) -> int:
        path = self.lock_file(suffix)
        descriptor = keeper.open_lock(path)
        if not keeper.wait_until(lambda: keeper.try_lock(descriptor, operation), _LOCK_WAIT_S):
            os.close(descriptor)
            raise EmbeddedPostgresError(
                f"Another process has held {path} for {_LOCK_WAIT_S:.0f} s. Is it suspended?"
            )
        return descriptor


@cache
def embedded_server(
    data: Path, settings: frozenset[tuple[str, str]], *, relocatable: bool
) -> EmbeddedPostgres:
    """Return this process's one object for a data folder."""
    return EmbeddedPostgres(data, dict(settings), relocatable=relocatable)
