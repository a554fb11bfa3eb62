"""A server and readers for the tests of faults."""

import pytest

from tests.sysconfig.processes.house import Reader, SettingsServer, housed


@pytest.fixture(scope="module")
def house(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), housed(SettingsServer) as made:
        yield made


@pytest.fixture
def reader(house):
    """Start readers that end with the test: `reader(period_s, …)`."""
    made = []

    def start(*arguments, **options):
        made.append(Reader(house, *arguments, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()
