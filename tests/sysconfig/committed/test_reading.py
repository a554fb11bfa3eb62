"""`SystemConfig.objects.get_value`: typed, cached, and only what was committed (rules 10, 14 to 16)."""

import asyncio
import threading
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sysconfig import registry, signals
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, UnreadableConfig
from sysconfig.value_types import INTEGER

pytestmark = pytest.mark.usefixtures("some_rows")

get_value = SystemConfig.objects.get_value
set_value = SystemConfig.objects.set_value


def write_by_sql(key, value):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE system_config SET value = %s WHERE key = %s", [value, key])


def cached(key):
    return key in SystemConfig.cache.entries


def test_a_value_is_typed_as_registered_and_read_from_the_database_once():
    with CaptureQueriesContext(connection) as queries:
        values = [get_value("t_least") for _ in range(3)]

    assert values == [Decimal("1.0")] * 3
    assert len(queries) == 1
    assert SystemConfig.cache.stats() == {"hits": 2, "misses": 1, "hit_rate": 2 / 3, "size": 1}


def test_a_fresh_read_queries_the_database_and_refreshes_the_cache():
    get_value("t_count")
    write_by_sql("t_count", "6")

    assert get_value("t_count") == 5
    assert get_value("t_count", fresh=True) == 6
    assert get_value("t_count") == 6
    assert get_value("t_none", "default", fresh=True) == "default"


def test_a_fresh_read_does_not_take_over_a_load_that_began_before_it(elsewhere):
    read, end = threading.Event(), threading.Event()

    def hold(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        read.set()
        assert end.wait(60)
        return result

    def read_slowly():
        with connection.execute_wrapper(hold):
            return get_value("t_count")

    slow = elsewhere(read_slowly)
    assert read.wait(60)
    write_by_sql("t_count", "6")
    assert get_value("t_count", fresh=True) == 6
    end.set()

    assert slow.result(60) == 5
    assert get_value("t_count") == 6


def test_a_fresh_read_in_a_transaction_shares_nothing():
    get_value("t_count")
    with transaction.atomic():
        write_by_sql("t_count", "6")
        assert get_value("t_count", fresh=True) == 6
        transaction.set_rollback(True)

    assert get_value("t_count") == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [("t_enabled", False), ("t_count", 5), ("t_name", "a name"), ("t_words", ("a",))],
)
def test_each_kind_comes_as_its_own_type(key, value):
    assert (get_value(key), type(get_value(key))) == (value, type(value))


def test_an_entry_past_its_ttl_is_loaded_again():
    get_value("t_count")
    value, *_moments = SystemConfig.cache.entries["t_count"]
    SystemConfig.cache.entries["t_count"] = (value, 0.0, 0.0)
    write_by_sql("t_count", "6")

    assert get_value("t_count") == 6


def test_an_unregistered_key_gives_its_text_or_the_default():
    set_value("t_free", "some text")

    assert get_value("t_free", "default") == "some text"
    assert get_value("t_none") is None
    assert get_value("t_none", "default") == "default"


def test_missing_is_cached_but_the_default_is_not():
    assert get_value("t_none", "one default") == "one default"

    with CaptureQueriesContext(connection) as queries:
        assert get_value("t_none", "another") == "another"
        assert get_value("t_none") is None
    assert len(queries) == 0
    assert not SystemConfig.objects.filter(key="t_none").exists()


def test_missing_ends_with_the_insert():
    get_value("t_free")
    SystemConfig.objects.create(key="t_free", value="")

    assert get_value("t_free", "default") == ""


def test_an_unreadable_row_is_an_error_that_names_it_whatever_the_default():
    write_by_sql("t_count", "eleven")

    for _ in range(2):
        with pytest.raises(UnreadableConfig, match="t_count holds 'eleven': must be a whole number"):
            get_value("t_count", 5)
    write_by_sql("t_count", "7")
    assert get_value("t_count", 5) == 7


def test_a_registered_key_without_a_row_is_an_error_too():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM system_config WHERE key = 't_count'")

    with pytest.raises(UnreadableConfig, match="t_count has no row"):
        get_value("t_count", 5)


def test_a_database_error_is_not_missing():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE system_config RENAME TO hidden")
    try:
        with pytest.raises(Exception, match='"system_config" does not exist'):
            get_value("t_none", "default")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO system_config")

    assert get_value("t_none", "default") == "default"


def test_an_uncommitted_value_reaches_no_other_thread_and_does_not_survive_its_rollback(elsewhere):
    with transaction.atomic():
        set_value("t_count", 9)

        assert get_value("t_count") == 9  # this transaction's own view
        assert not cached("t_count")
        assert elsewhere(get_value, "t_count").result(60) == 5
        transaction.set_rollback(True)

    assert get_value("t_count") == 5


def test_a_read_in_a_transaction_does_not_join_or_serve_others(elsewhere):
    """A thread outside must not get the value that a transaction sees, not even by waiting for its load."""
    held, end = threading.Event(), threading.Event()

    def read_slowly_inside():
        with transaction.atomic():
            SystemConfig.objects.filter(key="t_count").update(value="9")

            def hold(execute, sql, params, many, context):
                result = execute(sql, params, many, context)
                held.set()
                assert end.wait(60)
                return result

            with connection.execute_wrapper(hold):
                inside = get_value("t_count")
            transaction.set_rollback(True)
            return inside

    inside = elsewhere(read_slowly_inside)
    assert held.wait(60)
    assert get_value("t_count") == 5
    end.set()
    assert inside.result(60) == 9
    assert get_value("t_count") == 5


def test_an_old_snapshot_is_not_stored(elsewhere):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT 1")
        elsewhere(set_value, "t_count", 9).result(60)

        assert get_value("t_count") == 5

    assert get_value("t_count") == 9


def test_holds_without_autocommit_too():
    transaction.set_autocommit(False)
    try:
        SystemConfig.objects.filter(key="t_count").update(value="9")
        assert get_value("t_count") == 9
        assert not cached("t_count")
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)

    assert get_value("t_count") == 5


def test_a_write_is_seen_by_the_next_read_in_this_process(elsewhere):
    assert get_value("t_count") == 5
    set_value("t_count", "7")
    assert get_value("t_count") == 7

    row = SystemConfig.objects.get(key="t_count")
    row.value = "8"
    row.save()
    assert get_value("t_count") == 8
    assert elsewhere(get_value, "t_count").result(60) == 8


def test_nothing_is_forgotten_before_the_commit(elsewhere):
    get_value("t_count")
    with transaction.atomic():
        set_value("t_count", 7)
        assert elsewhere(get_value, "t_count").result(60) == 5
        assert cached("t_count")

    assert not cached("t_count")
    assert get_value("t_count") == 7


def test_a_load_that_began_before_the_commit_is_not_stored(elsewhere):
    read, end = threading.Event(), threading.Event()

    def hold(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        read.set()
        assert end.wait(60)
        return result

    def read_slowly():
        with connection.execute_wrapper(hold):
            return get_value("t_count")

    slow = elsewhere(read_slowly)
    assert read.wait(60)
    set_value("t_count", 7)
    end.set()

    assert slow.result(60) == 5
    assert get_value("t_count") == 7


@pytest.mark.parametrize("savepoint", [False, True])
def test_a_rolled_back_change_invalidates_nothing(savepoint):
    get_value("t_count")
    with transaction.atomic(), transaction.atomic(savepoint=savepoint):
        set_value("t_count", 7)
        transaction.set_rollback(True)

    assert cached("t_count")
    assert get_value("t_count") == 5


def test_a_deletion_is_seen():
    set_value("t_free", "text")
    get_value("t_free")
    SystemConfig.objects.get(key="t_free").delete()

    assert get_value("t_free") is None


def test_a_rename_forgets_both_names():
    set_value("t_free", "text")
    assert (get_value("t_free"), get_value("t_other")) == ("text", None)
    row = SystemConfig.objects.get(key="t_free")
    row.key = "t_other"
    row.save()

    assert (get_value("t_free"), get_value("t_other")) == (None, "text")


def test_another_callback_that_fails_later_does_not_matter():
    get_value("t_count")

    def fail():
        raise OSError("mail server")

    def change():
        with transaction.atomic():
            set_value("t_count", 7)
            transaction.on_commit(fail)

    with pytest.raises(OSError, match="mail server"):
        change()

    assert get_value("t_count") == 7


def test_a_loaded_fixture_is_seen(tmp_path):
    from django.core.management import call_command

    set_value("t_free", "text")
    pk = SystemConfig.objects.get(key="t_free").pk
    fixture = tmp_path / "rename.json"
    stamp = "2026-01-01T00:00:00Z"
    fields = f'{{"key": "t_other", "value": "x", "created_at": "{stamp}", "updated_at": "{stamp}"}}'
    fixture.write_text(f'[{{"model": "sysconfig.systemconfig", "pk": {pk}, "fields": {fields}}}]')
    assert (get_value("t_free"), get_value("t_other")) == ("text", None)
    call_command("loaddata", str(fixture), verbosity=0)

    assert (get_value("t_free"), get_value("t_other")) == (None, "x")


def test_loads_ask_the_primary(settings):
    class Replicas:
        def db_for_read(self, model, **hints):
            raise AssertionError("read from a replica")

        def db_for_write(self, model, **hints):
            return "default"

    settings.DATABASE_ROUTERS = [Replicas()]

    assert get_value("t_count") == 5
    assert get_value("t_none") is None


def test_aget_value_gives_the_same_and_keeps_no_connection():
    async def read():
        return [
            await SystemConfig.objects.aget_value(key, "default") for key in ("t_count", "t_none", "t_count")
        ]

    assert asyncio.run(read()) == [5, "default", 5]
    assert (SystemConfig.cache.hits, SystemConfig.cache.misses) == (1, 2)
    assert connection.is_usable()


def test_a_key_that_was_read_as_missing_is_found_once_migrate_gave_it_a_row():
    assert get_value("t_new") is None
    registry.register([ConfigKey("t_new", INTEGER, 3)])
    signals.add_missing_rows(using="default")

    assert get_value("t_new") == 3
