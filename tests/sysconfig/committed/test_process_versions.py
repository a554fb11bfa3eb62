"""One row a process: which version of the configuration it works with, for as long as its session lives."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from sysconfig.models import SystemConfig
from sysconfig.push import processes
from sysconfig.push.processes import ConfigProcess, role_of

pytestmark = pytest.mark.usefixtures("some_rows")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def connect():
    parameters = connection.get_connection_params()
    for ours in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(ours, None)
    return psycopg.connect(**parameters, autocommit=True)


@pytest.fixture
def session(some_rows):
    with connect() as session:
        yield session
        session.execute("DELETE FROM system_config_process")


@pytest.fixture
def process():
    return processes.this_process(uuid4(), NOON)


def test_a_process_has_one_row_that_tells_since_when_it_has_its_version(session, process):
    first = processes.fingerprint(session)
    processes.record(session, process, first)
    row = ConfigProcess.objects.get()
    assert (row.id, row.pid, row.started_at, row.fingerprint) == (process.id, process.pid, NOON, first)
    assert row.backend_pid == session.info.backend_pid
    assert row.host in str(row)

    processes.record(session, process, first)
    assert ConfigProcess.objects.get().since == row.since

    SystemConfig.objects.set_value("t_count", 7)
    second = processes.fingerprint(session)
    processes.record(session, process, second)
    later = ConfigProcess.objects.get()
    assert later.fingerprint == second != first
    assert later.since > row.since


def test_a_row_counts_while_its_session_lives_and_is_deleted_by_the_next_connect(session, process):
    other = processes.this_process(uuid4(), NOON)
    processes.record(session, process, "a")
    with connect() as gone:
        processes.record(gone, other, "a")
        assert ConfigProcess.objects.living().count() == 2
        gone_pid = gone.info.backend_pid
    session.execute("SELECT pg_terminate_backend(%s, 5000)", [gone_pid])  # waits until it has ended

    assert [row.id for row in ConfigProcess.objects.living()] == [process.id]
    assert ConfigProcess.objects.count() == 2
    processes.prune(session)
    assert [row.id for row in ConfigProcess.objects.all()] == [process.id]


def test_a_process_that_connects_again_keeps_its_row(session, process):
    with connect() as before:
        processes.record(before, process, "a")
    processes.record(session, process, "a")
    processes.prune(session)

    assert ConfigProcess.objects.living().get().backend_pid == session.info.backend_pid


def test_a_process_that_stops_takes_its_row_with_it(session, process):
    processes.record(session, process, "a")
    processes.forget(session, process)

    assert not ConfigProcess.objects.exists()


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (["/srv/.venv/bin/gunicorn", "--config", "x"], "gunicorn"),
        (["manage.py", "runscheduler"], "manage.py runscheduler"),
        (["./manage.py", "--help"], "manage.py"),
        (["/srv/.venv/bin/django-admin", "shell"], "django-admin shell"),
        (["/srv/benchmarks/__main__.py", "x"], "benchmarks"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_a_role_says_how_the_process_was_started(argv, role):
    assert role_of(argv) == role
