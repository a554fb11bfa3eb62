"""A migration takes as long as it needs, but never blocks the users of a table for long."""

import sys

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection, connections

from sysconfig.push import connection as direct
from tests.jobs.pooler import Pooler
from tests.upgrade.planted.apps import LOCK_TIMEOUT_S
from tests.upgrade.processes import PLANTED, kill, output_of, run, start_on, until
from tradingsite import migration_session
from tradingsite.management.commands import migrate

TRYING_AGAIN = "Trying again in"
BUILDS = """
SELECT pid FROM pg_stat_activity
WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%' AND state = 'active' AND datname = current_database()
"""
LONGER_THAN_THE_LIMIT = f"{BUILDS} AND clock_timestamp() > query_start + make_interval(secs => %s)"
INDEX = """
SELECT indisvalid AND NOT indisunique FROM pg_index WHERE indexrelid = 'thing_name'::regclass
"""


@pytest.fixture
def own_connection():
    with psycopg.connect(**direct.parameters(connection, application_name="holder")) as own:
        own.autocommit = False
        yield own


def test_statement_of_a_migration_may_exceed_the_sites_limit(planted):
    run(planted, "migrate", "planted", "0005", settings=PLANTED, options="-c%20statement_timeout%3D1000")


def test_migration_of_a_table_in_use_is_tried_again_and_does_not_block_others(planted):
    run(planted, "migrate", "planted", "0002", settings=PLANTED)
    with planted.connect(application_name="a reader") as reader:
        reader.execute("SELECT count(*) FROM planted_thing WHERE 'sess-4711' <> ''")
        migrating = start_on(planted, "migrate", "planted", "0003", settings=PLANTED)
        output = until(migrating, TRYING_AGAIN)
        pid = reader.info.backend_pid

        # Not queued behind the migration.
        assert planted.query("SELECT count(*) FROM planted_thing") == [(0,)]

    output_of(migrating)
    assert f"session {pid} (a reader, idle in transaction, for " in output
    assert "in a transaction): SELECT count(*) FROM planted_thing WHERE '…' <> '…'" in output
    assert "4711" not in output
    assert "Traceback" not in output


@pytest.mark.django_db(transaction=True)
def test_migrate_gives_up_and_names_the_sessions_that_block_it(monkeypatch, own_connection):
    monkeypatch.setattr(migrate, "SHORTEST_PAUSE_S", 0)
    monkeypatch.setattr(migration_session, "LOCK_TIMEOUT_S", 0.1)
    own_connection.execute("LOCK TABLE system_config")

    with pytest.raises(CommandError) as given_up:
        call_command("migrate", verbosity=0)

    assert f"session {own_connection.info.backend_pid} (" in str(given_up.value)
    assert "LOCK TABLE system_config" in str(given_up.value)


@pytest.mark.django_db(transaction=True)
def test_limits_of_a_migration_end_with_it():
    before = connections["default"]
    call_command("migrate", verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("15s",)
    assert connections["default"] is before


def test_concurrent_index_waits_without_a_limit_and_for_no_other_migrate(planted):
    with planted.connect() as writer:
        writer.execute("INSERT INTO planted_thing (name) VALUES ('not committed yet')")
        building = start_on(planted, "migrate", "planted", "0004", settings=PLANTED)
        planted.wait_for(BUILDS)
        waiting = start_on(planted, "migrate", "planted", "0004", settings=PLANTED)
        planted.wait_for(LONGER_THAN_THE_LIMIT, 2 * LOCK_TIMEOUT_S)
        output = until(waiting, "Waiting for")

    assert TRYING_AGAIN not in output_of(building)
    output_of(waiting)
    assert planted.query(INDEX) == [(True,)]
    assert f"Waiting for migrate {building.pid}@" in output


def test_invalid_index_of_a_failed_run_is_made_anew(planted):
    planted.query("INSERT INTO planted_thing (name) VALUES ('twice'), ('twice')")
    with pytest.raises(Exception, match="could not create unique index"):
        planted.query("CREATE UNIQUE INDEX CONCURRENTLY thing_name ON planted_thing (name)")
    assert planted.query(INDEX) == [(False,)]

    run(planted, "migrate", "planted", "0004", settings=PLANTED)

    assert planted.query(INDEX) == [(True,)]


def test_migrate_that_was_killed_while_making_an_index_can_be_run_again(planted):
    with planted.connect() as writer:
        writer.execute("INSERT INTO planted_thing (name) VALUES ('not committed yet')")
        building = start_on(planted, "migrate", "planted", "0004", settings=PLANTED)
        planted.wait_for(BUILDS)
        kill(building)
    planted.wait_for(f"SELECT 1 WHERE NOT EXISTS ({BUILDS})")

    run(planted, "migrate", "planted", "0004", settings=PLANTED)

    assert planted.query(INDEX) == [(True,)]


@pytest.mark.django_db(transaction=True)
def test_lost_session_is_not_replaced_by_one_without_the_lock():
    with migration_session.migration_session("default", OutputWrapper(sys.stdout)):
        connection.close()
        with pytest.raises(OperationalError, match="migrate again"):
            connection.ensure_connection()

    connection.ensure_connection()  # the site's own


@pytest.mark.django_db(transaction=True)
def test_migrate_behind_a_pooler_names_the_variable_to_set(monkeypatch, tmp_path):
    with Pooler(tmp_path, direct.parameters(connection, application_name="test")):
        monkeypatch.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})

        with pytest.raises(CommandError, match="Set DATABASE_DIRECT_URL"):
            call_command("migrate", verbosity=0)
