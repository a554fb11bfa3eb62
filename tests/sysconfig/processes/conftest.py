"""Real processes on a server of their own."""

import pytest

from tests.sysconfig.processes.house import Reader, housed


@pytest.fixture(scope="session")
def house():
    with housed() as made:
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
