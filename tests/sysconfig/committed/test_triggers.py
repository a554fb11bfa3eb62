"""What another session hears of each statement that changes the table (rule 17), and what version it sees."""

import psycopg
import pytest
from django.db import connection, transaction

from sysconfig.models import SystemConfig

pytestmark = pytest.mark.usefixtures("some_rows")


@pytest.fixture
def ear(some_rows):
    """A second connection that listens."""
    parameters = connection.get_connection_params()
    for ours in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters, autocommit=True) as session:
        session.execute("LISTEN system_config")
        yield session


@pytest.fixture
def heard(ear):
    """Return the payloads that came since the last call. The server keeps the order of commits."""

    def payloads():
        ear.execute("NOTIFY system_config, 'that is all'")
        received: list[str] = []
        for notification in ear.notifies(timeout=60):
            if notification.payload == "that is all":
                return sorted(received)
            received.append(notification.payload)
        pytest.fail("the session does not hear itself")

    return payloads


@pytest.fixture
def sql():
    def run(statement, *arguments):
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)

    return run


def rows(*keys):
    return SystemConfig.objects.filter(key__in=keys)


def test_one_row_is_one_notification(heard):
    rows("t_count").update(value="6")
    assert heard() == ["k:t_count"]

    SystemConfig.objects.set_value("t_count", 7)
    assert heard() == ["k:t_count"]


def test_three_rows_in_one_statement_are_three_notifications(heard):
    keys = ("t_count", "t_least", "t_name")
    changed = list(rows(*keys))
    for row in changed:
        row.value = "2"
    SystemConfig.objects.bulk_update(changed, ["value"])

    assert heard() == [f"k:{key}" for key in keys]


def test_a_write_of_no_row_or_rolled_back_is_not_notified(heard):
    rows("t_none").update(value="6")
    rows("t_none").delete()
    with transaction.atomic():
        rows("t_count").update(value="6")
        transaction.set_rollback(True)

    assert heard() == []


def test_a_key_that_changes_twice_in_a_transaction_is_notified_once(heard):
    with transaction.atomic():
        rows("t_count").update(value="6")
        rows("t_count").update(value="7")

    assert heard() == ["k:t_count"]


def test_a_savepoint_that_is_rolled_back_leaves_nothing(heard):
    with transaction.atomic():
        rows("t_count").update(value="6")
        with transaction.atomic():
            rows("t_name").update(value="b")
            transaction.set_rollback(True)

    assert heard() == ["k:t_count"]


def test_a_rename_notifies_both_names(heard):
    rows("t_count").update(key="t_other")

    assert heard() == ["k:t_count", "k:t_other"]


def test_inserts_upserts_and_deletes_notify_each_row(heard, sql):
    SystemConfig.objects.bulk_create([SystemConfig(key=key, value="x") for key in ("t_a", "t_b")])
    assert heard() == ["k:t_a", "k:t_b"]

    sql(
        "INSERT INTO system_config (key, value) VALUES ('t_b', 'y'), ('t_c', 'y')"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    assert heard() == ["k:t_b", "k:t_c"]

    sql("INSERT INTO system_config (key, value) VALUES ('t_b', 'z') ON CONFLICT DO NOTHING")
    assert heard() == []

    rows("t_a", "t_b", "t_c").delete()
    assert heard() == ["k:t_a", "k:t_b", "k:t_c"]


def test_copy_notifies_each_row(heard):
    with connection.cursor() as cursor, cursor.copy("COPY system_config (key, value) FROM STDIN") as copy:
        copy.write_row(("t_a", "x"))
        copy.write_row(("t_b", "y"))

    assert heard() == ["k:t_a", "k:t_b"]


def test_truncate_notifies_everything(heard, sql):
    sql("TRUNCATE system_config")

    assert heard() == ["*"]


def test_a_value_and_a_key_of_any_size_can_be_written(heard):
    SystemConfig.objects.set_values({"t_free": "x" * 20_000, "설" * 100: "y"})

    assert heard() == ["k:t_free", "k:" + "설" * 100]


def test_with_triggers_off_nothing_is_notified_and_the_version_differs(heard, ear, sql):
    before = version(ear)
    with transaction.atomic():
        sql("SET LOCAL session_replication_role = replica")
        rows("t_count").update(value="6")

    assert heard() == []
    assert version(ear) != before


def test_a_notified_change_can_be_read_at_once(ear, heard):
    """Who hears of a change and reads at once finds it: a notification is sent when the commit is visible."""
    for number in range(50):
        rows("t_count").update(value=str(number))
        [notified] = ear.notifies(timeout=60, stop_after=1)
        found = ear.execute("SELECT value FROM system_config WHERE key = %s", [notified.payload[2:]])
        assert found.fetchone() == (str(number),)


def test_triggers_find_their_tables_with_any_search_path(heard, sql):
    """pg_restore fills tables with an empty one."""
    with transaction.atomic():
        sql("SET LOCAL search_path = ''")
        sql("UPDATE public.system_config SET value = '6' WHERE key = 't_count'")
        sql("SELECT public.system_config_fingerprint()")

    assert heard() == ["k:t_count"]


def version(session):
    found = session.execute("SELECT system_config_fingerprint()").fetchone()
    return found[0]


def test_the_version_differs_with_any_key_and_value_and_with_nothing_else(ear):
    seen = {version(ear)}
    set_values = SystemConfig.objects.set_values
    for change in ({"t_a": "bc"}, {"t_a": "bcd"}, {"t_ab": "c"}, {"t_ab": "\N{SNOWMAN}"}):
        set_values(change)
        seen.add(version(ear))
    assert len(seen) == 5

    SystemConfig.objects.filter(key__in=("t_a", "t_ab")).delete()
    joined = set()
    for key, value in (("t_a", "bc"), ("t_ab", "c")):  # the same letters in the same order
        set_values({key: value})
        joined.add(version(ear))
        SystemConfig.objects.filter(key=key).delete()
    assert len(joined) == 2

    set_values({"t_a": "bcd"})
    before = version(ear)
    SystemConfig.objects.filter(key="t_a").update(description="why")
    set_values({"t_a": "other"})
    set_values({"t_a": "bcd"})
    assert version(ear) == before
    assert before.startswith(f"{SystemConfig.objects.count()}-")


def test_an_empty_table_has_a_version_too(ear, sql):
    sql("DELETE FROM system_config")

    assert version(ear).startswith("0-")
