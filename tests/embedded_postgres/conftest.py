import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.embedded_postgres.processes import DEADLINE_S, SETTINGS, User, keepers, servers, stop_using
from tradingsite.embedded_postgres import start
from tradingsite.embedded_postgres.keeper import SOCKET, wait_until
from tradingsite.embedded_postgres.server import EmbeddedPostgres


def make_place() -> Path:
    """Return a new folder. Pytest's `tmp_path` is closed to PostgreSQL's account when root runs the tests."""
    place = Path(tempfile.mkdtemp(prefix="pg-test-"))
    place.chmod(0o711)
    return place


def end_all(place: Path) -> None:
    """Kill the servers and keepers of all data folders in `place`, which a failed test may have left."""
    for pid_file in place.rglob("postmaster.pid"):
        end(pid_file.parent)


def end(data: Path) -> None:
    for process in (*servers(data), *keepers(data)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert wait_until(lambda: not servers(data), DEADLINE_S)
    for name in ("postmaster.pid", SOCKET, f"{SOCKET}.lock"):
        (data / name).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def patient_start(monkeypatch):
    """A server that is ending may take its time on a busy machine."""
    monkeypatch.setattr(start, "_RETRY_S", DEADLINE_S)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder."""
    place = make_place()
    yield place
    end_all(place)
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def shared_data() -> Iterator[Path]:
    place = make_place()
    start._create(place / "postgres")
    yield place / "postgres"
    shutil.rmtree(place)


@pytest.fixture
def data(shared_data) -> Iterator[Path]:
    """A data folder without a server. All tests share it, as making one is slow."""
    yield shared_data
    end_all(shared_data.parent)


@pytest.fixture
def moved(data, place):
    """Move the data folder to another path, until the end of the test."""
    there = []

    def move(path):
        there.append(place / path)
        there[0].parent.mkdir(parents=True, exist_ok=True)
        return data.rename(there[0])

    yield move
    for path in there:
        path.rename(data)


@pytest.fixture
def start_user():
    """Start processes that use a server; those that still run are killed at the end."""
    users = []

    def start(data: Path, *, group: int = 0) -> User:
        users.append(User(data, group=group))
        return users[-1]

    yield start
    for user in users:
        user.kill(signal.SIGKILL)


@pytest.fixture
def stop_using_at_the_end():
    """Take servers that this process uses; they stop at the end of the test."""
    used: list[EmbeddedPostgres] = []
    yield used.append
    for server in used:
        stop_using(server)


@pytest.fixture
def server_on(stop_using_at_the_end):
    """Make a server that this process uses until the end of the test."""

    def make(data: Path, *, relocatable: bool = False, **settings: str) -> EmbeddedPostgres:
        server = EmbeddedPostgres(data, {**SETTINGS, **settings}, relocatable=relocatable)
        stop_using_at_the_end(server)
        return server

    return make
