"""A server and readers for the tests of faults."""

import pytest

from tests.sysconfig.processes.house import Reader, SettingsServer, running_server


@pytest.fixture(scope="module")
def db_server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), running_server(SettingsServer) as made:
        yield made


@pytest.fixture
def reader(db_server):
    """Start readers that end with the test: `reader(period_s, …)`."""
    made = []

    def start(*arguments, **options):
        made.append(Reader(db_server, *arguments, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()
