"""`healthcheck.probes.database` on a real server: what it says of each way to be unwell."""

import re
from typing import Any

import pytest
from django.db import ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from healthcheck import probes
from tests.healthcheck.databases import another_session, in_use, pooled, unreachable


@pytest.fixture
def brief_wait(patient_limits, monkeypatch):
    monkeypatch.setattr(probes, "_POOL_WAIT_S", 0.1)


@pytest.mark.django_db
def test_a_database_that_works_is_healthy_and_named_with_its_version():
    finding = probes.database()

    assert finding.status == "healthy"
    assert re.fullmatch(r"PostgreSQL \d+\.\d+ answers; all migrations are applied", finding.english)


@pytest.mark.django_db
def test_pending_migrations_are_a_warning_that_counts_them():
    rows = MigrationRecorder(connection).migration_qs
    count, _ = rows.filter(app__in=["healthcheck", "sessions"]).delete()

    finding = probes.database()

    assert finding.status == "warning"
    assert finding.english == (
        f"{count} migrations are not applied (first: healthcheck.0001_initial): run migrate"
    )


@pytest.mark.django_db
def test_a_database_without_any_migration_is_a_warning_too():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO hidden")

    assert re.match(r"\d\d+ migrations are not applied", probes.database().english)


def test_the_files_are_the_migrations_that_django_would_find():
    assert probes._on_disk() == set(MigrationLoader(None).disk_migrations)


def test_a_squashed_migration_counts_as_applied_once_all_that_it_replaces_are(monkeypatch):
    squashed = {("shop", "0001_squashed_0002"): frozenset({("shop", "0001"), ("shop", "0002")})}
    monkeypatch.setattr(probes, "_on_disk", lambda: frozenset(squashed))
    monkeypatch.setattr(probes, "_with_replaced", lambda: squashed)

    assert probes._pending({("shop", "0001")}) == [("shop", "0001_squashed_0002")]
    assert probes._pending({("shop", "0001"), ("shop", "0002")}) == []
    assert probes._pending({("shop", "0001_squashed_0002")}) == []


@pytest.mark.django_db
def test_a_read_only_server_is_a_warning():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")

    finding = probes.database()

    assert (finding.status, finding.english) == ("warning", "the server is read-only: a standby, or set so")


@pytest.mark.django_db(transaction=True)
def test_a_table_that_cannot_be_read_in_time_is_unhealthy(monkeypatch):
    monkeypatch.setattr(probes, "_READ_LIMIT_S", 0.2)
    with another_session() as session:
        session.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        finding = probes.database()
        session.rollback()

    assert finding.status == "unhealthy"
    assert finding.english == "a small read took over 0.2 s: a lock, or the server is overloaded"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_is_unhealthy():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    with another_session() as session:
        session.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
    finding = probes.database()
    connection.close()

    assert finding.english == "no connection: the server is down or unreachable"


@pytest.mark.django_db(transaction=True)
def test_an_exhausted_pool_is_not_called_a_database_that_is_down(brief_wait):
    connection.close()
    pool = pooled().pool
    taken: list[Any] = []
    try:
        while in_use(pool) < pool.max_size:  # a thread of an earlier test may still have one
            taken.append(pool.getconn())
        finding = probes.database()
    finally:
        for one in taken:
            pool.putconn(one)

    assert finding.status == "unhealthy"
    assert finding.english == "no free connection within 0.1 s: all 20 of this process are in use"


@pytest.mark.django_db(transaction=True)
def test_a_server_that_is_down_is_called_down_and_not_an_exhausted_pool(tmp_path):
    with unreachable(tmp_path):
        finding = probes.database()

    assert (finding.status, finding.english) == (
        "unhealthy",
        "no connection: the server is down or unreachable",
    )


@pytest.mark.django_db
def test_an_error_in_our_own_query_is_raised():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE pg_checkpoint")

    with pytest.raises(ProgrammingError, match="permission denied"):
        probes.database()


@pytest.mark.django_db(transaction=True)
def test_a_database_without_a_pool_is_judged_too(monkeypatch):
    connection.close()
    monkeypatch.delitem(connection.settings_dict["OPTIONS"], "pool")

    finding = probes.database()
    connection.close()

    assert finding.status == "healthy"
