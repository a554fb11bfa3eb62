"""The history has every change, however it was made, with its author, and is never rewritten."""

import threading
from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from sysconfig import signals
from sysconfig.authorship import Author, attributed_to
from sysconfig.changes import CannotRevert, SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.registry import ConcurrentChange, InvalidConfigValue

pytestmark = pytest.mark.usefixtures("some_rows")

set_value = SystemConfig.objects.set_value
SQL = ("sql", "postgres", "tradingsite local")
PROGRAM = ("program", "tradingsite", "local")
ALICE = Author("admin", "alice", "203.0.113.7")


@pytest.fixture
def changes(some_rows):
    """Return what the history gained since this test began, oldest first."""
    last = SystemConfigChange.objects.values_list("pk", flat=True).first() or 0
    fields = ("key", "action", "old_value", "new_value")

    def gained(*extra):
        return list(
            SystemConfigChange.objects.filter(pk__gt=last).order_by("pk").values_list(*(extra or fields))
        )

    return gained


def rows(*keys):
    return SystemConfig.objects.filter(key__in=keys)


def run_sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def newest():
    return SystemConfigChange.objects.all()[0]


def author(changes):
    return changes("source", "actor", "origin")


def test_a_checked_change_is_recorded_once_with_its_time(changes):
    set_value("t_count", 7)

    assert changes() == [("t_count", "update", "5", "7")]
    assert str(newest()) == "t_count: 5 → 7"
    [(at,)] = changes("at")
    assert timedelta(0) <= timezone.now() - at < timedelta(seconds=30)


def test_a_change_made_with_plain_sql_or_past_the_checks_is_recorded_as_such(changes):
    rows("t_count").update(value="6")
    assert changes() == [("t_count", "update", "5", "6")]
    assert author(changes) == [SQL]

    run_sql("UPDATE system_config SET value = '8' WHERE key = 't_count'")
    assert changes()[1:] == [("t_count", "update", "6", "8")]
    assert author(changes)[1:] == [SQL]


def test_a_session_of_psql_is_named_by_its_user_and_program(changes):
    parameters = connection.get_connection_params()
    info = psycopg.conninfo.make_conninfo(
        host=parameters["host"],
        dbname=parameters["dbname"],
        user=parameters["user"],
        application_name="psql",
    )
    with psycopg.connect(info) as session:
        session.execute("UPDATE system_config SET value = '6' WHERE key = 't_count'")

    assert author(changes) == [("sql", "postgres", "psql local")]


@pytest.mark.parametrize("silent", ["description", "the same value", "no row"])
def test_a_write_that_changes_no_value_is_not_recorded(changes, silent):
    if silent == "description":
        rows("t_count").update(description="why")
    elif silent == "the same value":
        set_value("t_count", 5)
        SystemConfig.objects.get(key="t_count").save()
    else:
        rows("t_none").update(value="6")

    assert changes() == []


def test_bulk_writes_upserts_and_copies_are_recorded_row_by_row(changes):
    SystemConfig.objects.bulk_create([SystemConfig(key="t_a", value="1"), SystemConfig(key="t_b", value="2")])
    run_sql(
        "INSERT INTO system_config (key, value) VALUES ('t_a', '3'), ('t_c', '4')"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    with connection.cursor() as cursor, cursor.copy("COPY system_config (key, value) FROM STDIN") as copy:
        copy.write_row(("t_d", "5"))
    changed = list(rows("t_a", "t_b"))
    for row in changed:
        row.value = "9"
    SystemConfig.objects.bulk_update(changed, ["value"])

    assert sorted(changes()[:2]) == [("t_a", "insert", None, "1"), ("t_b", "insert", None, "2")]
    assert changes()[2:5] == [
        ("t_a", "update", "1", "3"),
        ("t_c", "insert", None, "4"),
        ("t_d", "insert", None, "5"),
    ]
    assert sorted(changes()[5:]) == [("t_a", "update", "3", "9"), ("t_b", "update", "2", "9")]


def test_renames_keep_the_old_name_and_value(changes):
    set_value("t_free", "text")
    run_sql("UPDATE system_config SET key = 't_other', value = 'new' WHERE key = 't_free'")

    assert changes("key", "old_key", "action", "old_value", "new_value")[1:] == [
        ("t_other", "t_free", "rename", "text", "new")
    ]
    assert SystemConfigChange.objects.of("t_free")[0] == SystemConfigChange.objects.of("t_other")[0]


def test_rows_whose_ids_change_are_recorded_by_key(changes):
    SystemConfig.objects.bulk_create([SystemConfig(key="t_a", value="1"), SystemConfig(key="t_b", value="2")])
    run_sql("UPDATE system_config SET id = -id, value = value || '!' WHERE key IN ('t_a', 't_b')")

    assert sorted(changes()[2:]) == [("t_a", "update", "1", "1!"), ("t_b", "update", "2", "2!")]


def test_a_deletion_is_recorded_with_the_old_value(changes):
    with attributed_to(*ALICE):
        set_value("t_a", "1")
        set_value("t_b", "2")
        rows("t_a").get().delete()
        rows("t_b").delete()
    set_value("t_c", "3")
    run_sql("DELETE FROM system_config WHERE key = 't_c'")

    assert changes()[2:4] == [("t_a", "delete", "1", None), ("t_b", "delete", "2", None)]
    assert author(changes) == [ALICE, ALICE, ALICE, ALICE, PROGRAM, SQL]


def test_truncate_is_recorded_with_every_old_value(changes):
    before = sorted(SystemConfig.objects.values_list("key", "value"))
    run_sql("TRUNCATE system_config")

    assert changes() == [(key, "truncate", value, None) for key, value in before]
    assert set(author(changes)) == {SQL}


def test_a_rolled_back_change_is_not_recorded(changes):
    with transaction.atomic():
        set_value("t_count", 6)
        with transaction.atomic():
            set_value("t_name", "b")
            run_sql("TRUNCATE system_config")
            transaction.set_rollback(True)
    with transaction.atomic():
        set_value("t_count", 7)
        transaction.set_rollback(True)

    assert changes() == [("t_count", "update", "5", "6")]


def test_a_refused_change_leaves_nothing(changes):
    with pytest.raises(InvalidConfigValue):
        SystemConfig.objects.set_values({"t_new": "text", "t_least": 9, "t_most": 8})

    assert changes() == []


def test_texts_of_any_size_are_kept_whole(changes):
    long = "x" * 100_000
    set_value("t_free", long)
    set_value("t_free", "")

    assert changes() == [("t_free", "insert", None, long), ("t_free", "update", long, "")]


# Who


def test_every_checked_way_of_writing_is_signed(changes):
    with attributed_to(*ALICE):
        set_value("t_count", 6)
        row = rows("t_count").get()
        row.value = "7"
        row.save()
        SystemConfig.objects.create(key="t_free", value="text")
        SystemConfig.objects.revert(SystemConfigChange.objects.of("t_count")[0].pk)

    assert author(changes) == [ALICE] * 4


def test_a_program_that_says_nothing_is_named_by_its_connection(changes):
    set_value("t_count", 6)

    assert author(changes) == [PROGRAM]


def test_an_unchecked_write_is_recorded_as_sql_also_next_to_a_signed_one(changes):
    with attributed_to(*ALICE), transaction.atomic():
        rows("t_name").update(value="b")
        set_value("t_count", 6)
        rows("t_name").update(value="c")

    assert author(changes) == [SQL, ALICE, SQL]


def test_a_signature_ends_with_a_refusal_too(changes):
    with attributed_to(*ALICE), transaction.atomic():
        with pytest.raises(InvalidConfigValue):
            set_value("t_count", 11)
        with pytest.raises(InvalidConfigValue):
            SystemConfig.objects.create(key="t_count", value="11")
        rows("t_name").update(value="b")

    assert author(changes) == [SQL]


def test_a_signature_stays_in_its_block_and_its_thread(changes, elsewhere):
    with attributed_to(*ALICE):
        with attributed_to("command", "bob", "bob@desk"):
            set_value("t_count", 1)
        set_value("t_count", 2)
        elsewhere(set_value, "t_count", 3).result(60)
    set_value("t_count", 4)

    assert author(changes) == [("command", "bob", "bob@desk"), ALICE, PROGRAM, PROGRAM]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_next_transaction_of_the_session_knows_nothing_of_it(changes, end):
    with attributed_to(*ALICE), transaction.atomic():
        set_value("t_count", 6)
        transaction.set_rollback(end == "rollback")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting(name, true)"
            " FROM unnest(ARRAY['sysconfig.source', 'sysconfig.actor', 'sysconfig.origin']) AS name"
        )
        assert {setting for (setting,) in cursor.fetchall()} <= {None, ""}
    rows("t_name").update(value="b")

    assert author(changes)[-1] == SQL


def test_a_session_that_signs_its_own_transaction_is_believed_and_keeps_it(changes):
    """A script of an operator, in psql."""
    with transaction.atomic():
        run_sql("SET LOCAL sysconfig.source = 'command'; SET LOCAL sysconfig.actor = 'carol'")
        rows("t_name").update(value="b")
        with attributed_to(*ALICE):
            set_value("t_count", 6)
        rows("t_name").update(value="c")
    rows("t_name").update(value="d")

    carol = ("command", "carol", "local")
    assert author(changes) == [carol, ALICE, carol, SQL]


def test_a_source_that_there_is_not_counts_as_sql(changes):
    with transaction.atomic():
        run_sql("SET LOCAL sysconfig.source = 'heaven'; SET LOCAL sysconfig.actor = 'carol'")
        rows("t_name").update(value="b")

    assert author(changes) == [SQL]


def test_a_name_that_the_database_can_not_hold_stops_no_change(changes):
    with attributed_to("admin", "al\0ice", "203.0.113.7\0"):
        set_value("t_count", 6)

    assert author(changes) == [ALICE]


def test_rows_that_migrate_adds_are_its_own_and_no_others_are_recorded(changes):
    SystemConfig.objects.filter(key="t_count")._raw_delete("default")
    for _ in range(2):
        signals.add_missing_rows(using="default")

    assert changes()[1:] == [("t_count", "insert", None, "5")]
    assert author(changes)[1:] == [("program", "migrate", "local")]


# For ever


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda: SystemConfigChange.objects.update(actor="nobody"),
        lambda: newest().delete(),
        lambda: SystemConfigChange.objects.all()._raw_delete("default"),
        lambda: SystemConfigChange.objects.create(key="t_count", action="update", at=timezone.now()),
        lambda: run_sql("DELETE FROM system_config_change"),
    ],
)
def test_the_history_is_neither_rewritten_nor_invented(changes, rewrite):
    set_value("t_count", 6)
    with pytest.raises(IntegrityError, match="system_config_change"):
        rewrite()

    assert changes() == [("t_count", "update", "5", "6")]


def test_changes_of_one_key_stand_in_the_order_of_their_commits(changes, elsewhere):
    start = threading.Barrier(4)

    def count():
        start.wait(60)
        for _ in range(10):
            with transaction.atomic():
                row = SystemConfig.objects.locked(["t_free"], "default")["t_free"]
                set_value("t_free", str(int(row.value) + 1))

    set_value("t_free", "0")
    for call in [elsewhere(count) for _ in range(4)]:
        call.result(60)

    assert changes()[1:] == [("t_free", "update", str(was), str(was + 1)) for was in range(40)]


# Back again


def last_change(key):
    return SystemConfigChange.objects.of(key)[0].pk


def test_reverting_restores_the_old_value_as_a_new_change(changes):
    set_value("t_count", 7)
    change = last_change("t_count")
    set_value("t_count", 8)

    row = SystemConfig.objects.revert(change)

    assert (row.key, row.replaced, row.value) == ("t_count", "8", "5")
    assert SystemConfig.objects.get_value("t_count") == 5
    assert changes()[-1] == ("t_count", "update", "8", "5")


def test_reverting_a_deletion_adds_the_row_again():
    set_value("t_free", "text")
    rows("t_free").delete()
    SystemConfig.objects.revert(last_change("t_free"))

    assert SystemConfig.objects.get_value("t_free") == "text"


def test_after_truncate_everything_can_be_put_back():
    before = dict(SystemConfig.objects.values_list("key", "value"))
    run_sql("TRUNCATE system_config")
    for key in before:
        SystemConfig.objects.revert(last_change(key))

    assert dict(SystemConfig.objects.values_list("key", "value")) == before


def test_a_change_without_an_old_value_is_not_reverted(changes):
    set_value("t_free", "text")
    added = last_change("t_free")
    with pytest.raises(CannotRevert, match=rf"change {added} can't be undone: t_free had no row before it"):
        SystemConfig.objects.revert(added)

    run_sql("UPDATE system_config SET key = 't_other' WHERE key = 't_free'")
    with pytest.raises(CannotRevert, match="it renamed t_free to t_other"):
        SystemConfig.objects.revert(last_change("t_other"))

    with pytest.raises(CannotRevert, match="change 999999999999 can't be undone: there is no such change"):
        SystemConfig.objects.revert(999_999_999_999)
    assert len(changes()) == 2


def test_a_change_of_a_key_that_was_deleted_since_is_not_reverted():
    set_value("t_free", "one")
    set_value("t_free", "two")
    change = last_change("t_free")
    rows("t_free").delete()

    with pytest.raises(CannotRevert, match="t_free has no row any more"):
        SystemConfig.objects.revert(change)
    assert SystemConfig.objects.get_value("t_free") is None


def test_a_value_that_is_no_longer_allowed_is_not_put_back():
    rows("t_count").update(value="11")  # past the check
    set_value("t_count", 6)
    with pytest.raises(InvalidConfigValue, match="t_count: '11' is refused: must be between 0 and 10"):
        SystemConfig.objects.revert(last_change("t_count"))

    set_value("t_least", "2.0")
    set_value("t_most", "2.0")
    set_value("t_least", "1")
    change = last_change("t_least")
    set_value("t_most", "1")
    with pytest.raises(InvalidConfigValue, match=r"t_least 2\.0 exceeds t_most 1"):
        SystemConfig.objects.revert(change)


def test_a_revert_does_not_overwrite_a_concurrent_change():
    set_value("t_count", 7)
    change = last_change("t_count")
    set_value("t_count", 8)

    with pytest.raises(ConcurrentChange, match="t_count was changed meanwhile: it is '8', no longer '7'"):
        SystemConfig.objects.revert(change, expected={"t_count": "7"})
    assert SystemConfig.objects.get_value("t_count") == 8


def test_the_triggers_are_removed_and_made_again_with_the_migration(db):
    names = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'system\\_config\\_%'"

    def functions():
        with connection.cursor() as cursor:
            cursor.execute(names)
            return cursor.fetchone()[0]

    before, kept = functions(), dict(SystemConfig.objects.values_list("key", "value"))
    try:
        call_command("migrate", "sysconfig", "0001", verbosity=0)
        assert functions() == 1
        assert dict(SystemConfig.objects.values_list("key", "value")) == kept
    finally:
        call_command("migrate", "sysconfig", verbosity=0)

    assert functions() == before
    assert SystemConfigChange.objects.count() == 0, "the rows that were there are no changes"
