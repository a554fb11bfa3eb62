"""Of several processes that migrate one database, one works, the others wait and end well."""

import re
from collections import Counter

from sysconfig import registry
from tests.embedded_postgres.processes import all_gone
from tests.upgrade.processes import said, start, until
from tradingsite.migration_session import _KEY

COUNT_OPERATORS = "from django.contrib.auth.models import User; print(User.objects.count())"


def test_four_on_an_empty_database_end_well_and_apply_each_migration_once(server, migrated):
    database = server.create()
    output = said(*[database.start("migrate") for _ in range(4)])

    applied = Counter(re.findall(r"Applying (\S+)\.\.\. OK", output))
    names = "SELECT app || '.' || name FROM django_migrations"
    assert applied == Counter(name for (name,) in database.ask(names))
    assert sorted(database.ask(names)) == sorted(migrated.ask(names))
    assert database.ask("SELECT mode FROM database_mode") == [("sandbox",)]
    assert database.ask("SELECT count(*) FROM system_config") == [(len(registry.registered()),)]


def test_three_that_prepare_one_folder_end_well(folder):
    place = folder / "var"
    said(*[start("prepare", VAR_DIR=str(place)) for _ in range(3)])

    made = said(start("shell", "-v", "0", "-c", COUNT_OPERATORS, VAR_DIR=str(place)))
    assert made.strip().splitlines()[-1] == "1"
    assert (place / "static" / "staticfiles.json").stat().st_size
    assert all_gone(place / "postgres")  # before its folder goes


def test_one_that_waits_says_for_whom(migrated):
    with migrated.connect(autocommit=True, application_name="migrate 17@elsewhere") as holder:
        holder.execute("SELECT pg_advisory_lock(%s, %s)", _KEY)
        waiting = migrated.start("migrate")
        output = until(waiting, "Waiting for")
        pid = holder.info.backend_pid

    said(waiting)
    assert f"Waiting for migrate 17@elsewhere to end its work on this database: session {pid} of" in output
    assert "Operations to perform" not in output


def test_what_only_looks_does_not_wait(migrated):
    with migrated.connect(autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s, %s)", _KEY)

        assert "No planned migration operations" in migrated.run("migrate", "--plan")
