import shutil
import tempfile
from pathlib import Path

import pytest

from tests.upgrade.processes import PLANTED, Server


@pytest.fixture(scope="session")
def folder():
    # Not pytest's `tmp_path`: that one is closed to PostgreSQL's account when root runs the tests.
    place = Path(tempfile.mkdtemp(prefix="upgrade-"))
    place.chmod(0o711)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def server(folder):
    server = Server(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated(server):
    """A database as `migrate` makes it."""
    database = server.create()
    database.run("migrate", "--verbosity=0")
    return database


@pytest.fixture(scope="session")
def _planted(server, migrated):
    database = server.create(migrated)
    database.run("migrate", "planted", "0003", settings=PLANTED)
    return database


@pytest.fixture
def planted(server, _planted):
    """A database with the table of the app `planted`, before its index is made."""
    return server.create(_planted)
