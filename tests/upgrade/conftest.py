import shutil
import tempfile
from pathlib import Path

import pytest

from tests.upgrade.processes import PLANTED, run


@pytest.fixture
def folder():
    # Not pytest's `tmp_path`: that one is closed to PostgreSQL's account when root runs the tests.
    place = Path(tempfile.mkdtemp(prefix="upgrade-"))
    place.chmod(0o711)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def migrated(databases):
    """A database as `migrate` leaves it."""
    return databases.migrated()


@pytest.fixture(scope="session")
def _planted(databases):
    database = databases.migrated()
    run(database, "migrate", "planted", "0003", settings=PLANTED)
    return database


@pytest.fixture
def planted(databases, _planted):
    """A database with the table of the app `planted`, before its index is made."""
    return databases.create(_planted)
