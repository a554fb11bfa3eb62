"""The release before, from the repository's history, running as under `make run`."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from tests import pg_ctl
from tests.databases import Databases
from tests.forked import ROOT
from tests.site.processes import free_port, own_environ
from tests.upgrade.baseline import COMMIT
from tradingsite.embedded_postgres.server import EmbeddedPostgres

# Errors of code that does not know the schema.
_REFUSALS = ("IntegrityError", "ProgrammingError", "DataError", "Violation", "Undefined")


class HistoryIsMissing(Exception):
    """The clone has no such commit: it is a shallow one."""


class ReleaseBefore:
    """Its web, scheduler and sandbox, on a database that another tree may migrate.

    The server is this tree's: the previous release can't start its own for root in a closed folder.
    """

    def __init__(self, folder: Path) -> None:
        self._tree = folder / "tree"
        self._log = folder / "log"
        self._server = EmbeddedPostgres(folder / "data", {"fsync": "off"})
        self._database = Databases(self._server.use(), "upgraded").create()
        self._environ = own_environ(
            DATABASE_URL=self._database.url,
            VAR_DIR=str(folder / "var"),
            PORT=str(free_port()),
            PYTHONUNBUFFERED="1",
            PYTHONSAFEPATH="",
        )
        _extract(self._tree)

    def start(self) -> None:
        """Start it, and return once everything answers."""
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tradingsite.run"],
                cwd=self._tree,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while "  Stop  " not in self._log.read_text():
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text())
            time.sleep(0.2)

    def manage(self, *arguments: str, tree: Path | None = None, check: bool = True) -> str:
        """Run a management command of its own tree, or of another, on its database."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=tree or self._tree, env=self._environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def migrate_with_this_tree(self) -> str:
        return self.manage("migrate", tree=ROOT)

    def query(self, statement: str):
        return self._database.query(statement)

    def refusals(self) -> list[str]:
        """Return its log's lines about statements that the database refused."""
        return [line for line in self._log.read_text().splitlines() if any(w in line for w in _REFUSALS)]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        pg_ctl.stop(self._server, "immediate")


def _extract(tree: Path) -> None:
    made = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=False)
    if made.returncode:
        raise HistoryIsMissing(f"{COMMIT} is not in this clone: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(tree, filter="data")
    (tree / ".venv").symlink_to(os.path.realpath(sys.prefix))
