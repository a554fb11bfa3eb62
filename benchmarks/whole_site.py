"""A database, the sandbox and the scheduler of this site, as `make run` starts them; the web comes on top."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import say
from tests.sysconfig.processes.house import DatabaseServer, running_server

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-token-for-monitors"  # noqa: S105 - of the bench's own site


class WholeSite(NamedTuple):
    """Where the database is, and the environment of further processes."""

    db_server: DatabaseServer
    env: dict[str, str]

    @property
    def url(self) -> str:
        return str(self.db_server.url)


@contextmanager
def whole_site(commands: tuple[str, ...] = ("sandbox", "runscheduler")) -> Iterator[WholeSite]:
    """Run `manage.py` with these commands for the block, on a new database and in a folder of their own."""
    say("first a database is made, 5 s")
    with running_server() as db_server, tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        env = {
            **db_server.env,
            "DATABASE_URL": db_server.url,
            "DATABASE_DIRECT_URL": db_server.url,  # without the proxy, which would be measured too
            "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
            "HEALTH_TOKEN": TOKEN,
            "VAR_DIR": folder,
            "LOG_LEVEL": "ERROR",
        }
        _manage(env, "prepare")
        for command in commands:
            running.enter_context(managed(env, command))
        yield WholeSite(db_server, env)


def _manage(env: dict[str, str], command: str) -> None:
    subprocess.run([sys.executable, "manage.py", command], cwd=ROOT, env=env, check=True)  # noqa: S603 - ours


@contextmanager
def managed(env: dict[str, str], command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one `manage.py` command for the block."""
    arguments = [sys.executable, "manage.py", command]
    process = subprocess.Popen(  # noqa: S603 - ours
        arguments,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # metrics of jobs
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
