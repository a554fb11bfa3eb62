import json
import logging
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.jobs.processes import DatabaseServer, Scheduler
from tradingsite.jobs.job_metric import JobMetric
from tradingsite.jobs.shutdown import winding_down

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
_WITHIN_S = 60

COMMITTED = pytest.mark.django_db(transaction=True, available_apps=["tradingsite.jobs", "django_apscheduler"])
"""Real commits, which other threads see."""


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def until(condition):
    """Poll: the server notices the end of a session a moment after the client."""
    deadline = time.monotonic() + _WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def not_winding_down():
    """An earlier test's supervisor may have ended in this very process."""
    winding_down.clear()


class _Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def parsed(self):
        for line in self.lines:
            JobMetric.model_validate_json(line)
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def metrics():
    """The JobMetric lines logged so far, parsed and validated."""
    handler = _Lines()
    logger = logging.getLogger("tradingsite.jobs.job_metric")
    logger.addHandler(handler)
    yield handler.parsed
    logger.removeHandler(handler)


@pytest.fixture(scope="session")
def shared_db_server(databases):
    # Not pytest's own: that one is closed to PostgreSQL's account when root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="jobs-"))
    folder.chmod(0o711)
    db_server = DatabaseServer(folder, databases.migrated())
    yield db_server
    db_server.start()
    db_server.stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def db_server(shared_db_server):
    shared_db_server.start()
    shared_db_server.empty()
    return shared_db_server


@pytest.fixture
def run_scheduler(db_server):
    started = []

    def run(timetable, **facts):
        started.append(Scheduler(db_server, timetable, **facts))
        return started[-1]

    yield run
    for scheduler in started:
        scheduler.close()
