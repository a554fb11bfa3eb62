"""Several processes that migrate one database: one works, the others wait and succeed."""

import re
from collections import Counter

from sysconfig import registry
from tests.databases import Database
from tests.embedded_postgres.processes import all_gone, stop_using
from tests.upgrade.processes import output_of, run, start, start_on, until
from tradingsite.embedded_postgres.server import EmbeddedPostgres
from tradingsite.migration_session import _KEY


def test_three_on_an_empty_database_apply_each_migration_once(databases, migrated):
    database = databases.create()
    output = output_of(*[start_on(database, "migrate") for _ in range(3)])

    applied = Counter(re.findall(r"Applying (\S+)\.\.\. OK", output))
    names = "SELECT app || '.' || name FROM django_migrations"
    assert applied == Counter(name for (name,) in database.query(names))
    assert sorted(database.query(names)) == sorted(migrated.query(names))
    assert database.query("SELECT mode FROM database_mode") == [("sandbox",)]
    assert database.query("SELECT count(*) FROM system_config") == [(len(registry.registered()),)]


def test_three_that_prepare_one_folder_make_one_operator(folder):
    place = folder / "var"
    output_of(*[start("prepare", VAR_DIR=str(place)) for _ in range(3)])

    assert all_gone(place / "postgres")
    assert (place / "static" / "staticfiles.json").stat().st_size
    server = EmbeddedPostgres(place / "postgres")
    database = Database(f"postgresql://postgres@/postgres?host={server.use()}")
    assert database.query("SELECT count(*) FROM auth_user") == [(1,)]
    stop_using(server)


def test_waiting_migrate_names_the_session_that_it_waits_for(migrated):
    with migrated.connect(autocommit=True, application_name="migrate 17@elsewhere") as holder:
        holder.execute("SELECT pg_advisory_lock(%s, %s)", _KEY)
        waiting = start_on(migrated, "migrate")
        output = until(waiting, "Waiting for")
        pid = holder.info.backend_pid

    output_of(waiting)
    assert f"Waiting for migrate 17@elsewhere to finish on this database: session {pid} of" in output
    assert "Operations to perform" not in output


def test_migrate_plan_does_not_wait(migrated):
    with migrated.connect(autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s, %s)", _KEY)

        assert "No planned migration operations" in run(migrated, "migrate", "--plan")
