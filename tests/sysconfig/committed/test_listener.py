"""Notifications, heartbeats and comparisons on the real server (docs/config-cache.md, rules 15, 17 to 23)."""

import logging
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import transaction

from sysconfig.cache import UNLEASED_TTL_S, TTLCache
from sysconfig.models import SystemConfig
from sysconfig.push import processes
from sysconfig.push.processes import ConfigProcess
from tests.sysconfig.committed.hearing import LONG_S, row_of, sql, stored, until, update

pytestmark = pytest.mark.usefixtures("some_rows")


class Recording(TTLCache[str]):
    """Remembers its invalidations: the keys and the source of each call."""

    def __init__(self):
        self.calls = []
        super().__init__(leased=True)

    def invalidate_many(self, keys, lease_until=None, source="notify"):
        self.calls.append((sorted(keys, key=str), source))
        super().invalidate_many(keys, lease_until, source)


def test_a_change_by_sql_invalidates_only_its_key(cache, listen):
    listen()
    for key in ("t_count", "t_name"):
        cache.get_or_set(key, stored(key))
    update("t_count", "7")

    until(lambda: "t_count" not in cache.entries)
    assert cache.get_or_set("t_count", stored("t_count")) == "7"
    assert "t_name" in cache.entries
    assert cache.invalidations == {"local": 0, "notify": 1, "reconnect": 1, "anti_entropy": 0}


def test_truncate_empties_the_cache(cache, listen):
    listen()
    for key in ("t_count", "t_name"):
        cache.get_or_set(key, stored(key))
    sql("TRUNCATE system_config")

    until(lambda: not cache.entries)
    assert cache.invalidations["notify"] == 1


def test_all_keys_of_a_transaction_are_invalidated_in_one_step(listen):
    cache = Recording()
    listen(cache=cache)
    with transaction.atomic():
        for key in ("t_count", "t_name", "t_enabled"):
            update(key, "1")

    until(lambda: cache.invalidations["notify"])
    assert cache.calls[-1] == (["t_count", "t_enabled", "t_name"], "notify")


def test_a_rolled_back_change_is_not_notified(listen):
    cache = Recording()
    listen(cache=cache)
    with transaction.atomic():
        update("t_count", "6")
        transaction.set_rollback(True)
    update("t_name", "heard")

    until(lambda: cache.invalidations["notify"])
    assert cache.calls[-1] == (["t_name"], "notify")


def test_a_process_is_notified_of_its_own_writes_too(listen):
    cache = SystemConfig.cache
    listen(cache=cache)
    before = cache.invalidations["local"]
    SystemConfig.objects.set_value("t_count", 7)

    until(lambda: cache.invalidations["notify"] == 1)
    assert cache.invalidations["local"] == before + 1
    assert SystemConfig.objects.get_value("t_count") == 7


def test_connecting_listens_first_then_empties_the_cache_then_extends_the_lease(cache, silent):
    """A change in between must be heard, or be read by the load that comes after."""
    cache.invalidate_many((), lease_until=float("inf"))
    cache.get_or_set("t_count", stored("t_count"))
    cache.end_lease()
    cache.get_or_set("t_count", stored("t_count"))
    heard = silent()  # no heartbeat was sent

    until(lambda: cache.invalidations["reconnect"])
    assert heard.session.execute("SELECT count(*) FROM pg_listening_channels()").fetchone() == (2,)
    assert not cache.entries
    assert cache._lease_until < 0


def test_a_load_without_a_lease_is_cached_for_a_second(cache, silent):
    silent()
    until(lambda: cache.invalidations["reconnect"])
    begun = cache._clock()
    cache.get_or_set("t_count", stored("t_count"))

    assert begun + UNLEASED_TTL_S <= cache.entries["t_count"][1] < begun + 2 * UNLEASED_TTL_S


def test_each_heartbeat_extends_the_lease_of_what_is_cached(cache, clock, listen):
    heard = listen()
    cache.get_or_set("t_count", stored("t_count"))
    first = cache.entries["t_count"][1]
    clock.pass_time(heard, LONG_S)

    until(lambda: cache.entries["t_count"][1] >= first + LONG_S)
    assert cache.misses == 1
    assert cache._lease_until == heard._stats.heartbeat_s + 3 * LONG_S
    assert cache._lease_until <= cache._clock() + 3 * LONG_S


def test_the_heartbeat_is_private(clock, listen):
    cache, other = Recording(), Recording()
    listeners = [listen(cache=each, anti_entropy_s=10 * LONG_S) for each in (cache, other)]
    beats_s = [heard._stats.heartbeat_s for heard in listeners]
    for heard, beat_s in zip(listeners, beats_s, strict=True):
        clock.pass_time(heard, LONG_S)
        until(lambda heard=heard, beat_s=beat_s: heard._stats.heartbeat_s > beat_s)
    update("t_count", "6")

    for each in (cache, other):
        until(lambda each=each: each.invalidations["notify"])
        assert [call for call in each.calls if call[0]] == [([None], "reconnect"), (["t_count"], "notify")]


def test_the_status_gives_the_age_of_the_last_heartbeat(cache, silent, listen):
    never = silent(period_s=0.02)
    until(lambda: not never.status().listening)
    assert never.status().lease_age_s is None

    heard = listen()
    assert heard.status().started
    assert heard.status().listening
    assert heard.status().lease_age_s < 60


def test_a_change_without_a_notification_is_found_by_comparing(cache, clock, listen, caplog):
    heard = listen()
    until(lambda: row_of(heard))
    cache.get_or_set("t_count", stored("t_count"))
    before = row_of(heard)[1]
    sql("SET session_replication_role = replica")
    try:
        update("t_count", "7")
    finally:
        sql("SET session_replication_role = DEFAULT")

    clock.pass_time(heard, LONG_S)
    until(lambda: cache.get_or_set("t_count", stored("t_count")) == "7")
    clock.pass_time(heard, LONG_S)  # a heartbeat shows that no notification is still on its way
    until(lambda: heard.status().missed_notifications == 1)
    until(lambda: row_of(heard)[1] != before)
    assert cache.invalidations["notify"] == 0
    until(lambda: "without a notification" in caplog.text)  # logged just after it was counted


def test_a_difference_that_was_notified_is_not_counted(cache, clock, listen):
    heard = listen()
    until(lambda: row_of(heard))
    for value in ("6", "7", "8"):
        before = cache.invalidations["anti_entropy"]
        update("t_count", value)
        clock.pass_time(heard, LONG_S)
        until(lambda before=before: cache.invalidations["anti_entropy"] > before)
    sent = heard._stats.heartbeat_s

    clock.pass_time(heard, LONG_S)
    until(lambda: heard._stats.heartbeat_s > sent)  # after this heartbeat it would have been counted
    assert heard.status().missed_notifications == 0
    assert cache.invalidations["notify"] == 3


def test_a_silent_change_is_found_beside_a_notified_one(cache, clock, listen):
    heard = listen()
    until(lambda: row_of(heard))
    cache.get_or_set("t_name", stored("t_name"))
    sql("SET session_replication_role = replica")
    try:
        update("t_name", "silent")
    finally:
        sql("SET session_replication_role = DEFAULT")
    update("t_count", "7")
    until(lambda: cache.invalidations["notify"])
    clock.pass_time(heard, LONG_S)

    until(lambda: cache.invalidations["anti_entropy"])
    assert cache.get_or_set("t_name", stored("t_name")) == "silent"


def test_a_new_version_is_recorded(cache, listen):
    heard = listen()
    before = until(lambda: row_of(heard))
    until(lambda: heard.status().fingerprint == before[1])  # the row comes first
    for value in range(10):
        update("t_count", str(value))

    [(now,)] = sql("SELECT system_config_fingerprint()")
    until(lambda: row_of(heard)[1] == now)
    assert row_of(heard)[2] > before[2]
    until(lambda: heard.status().fingerprint == now)


def test_a_value_changed_back_gives_the_version_of_before(cache, listen):
    heard = listen()
    before = until(lambda: row_of(heard))
    with transaction.atomic():
        update("t_count", "6")
        update("t_count", "5")
    until(lambda: cache.invalidations["notify"])
    update("t_count", "5")
    until(lambda: cache.invalidations["notify"] > 1)

    assert row_of(heard) == before


def test_connecting_deletes_rows_of_ended_sessions(cache, listen):
    gone = processes.this_process(uuid4(), datetime.now(UTC))
    ConfigProcess.objects.create(
        **gone._asdict(), backend_pid=1, backend_start=gone.started_at, fingerprint="x", since=gone.started_at
    )
    heard = listen()

    until(lambda: row_of(heard))
    assert not ConfigProcess.objects.filter(id=gone.id).exists()


def test_stopping_ends_the_lease_and_the_thread_and_deletes_the_row(cache, listen):
    heard = listen()
    until(lambda: row_of(heard))
    cache.get_or_set("t_count", stored("t_count"))
    heard.stop(60)  # nothing else is due for longer than that

    assert not heard.is_alive()
    assert not cache.entries
    assert cache._lease_until < 0
    assert row_of(heard) is None
    heard.stop()  # again, as an atexit after a signal would


def test_a_standby_is_refused(cache, listener_made, monkeypatch, caplog):
    from django.db import connection

    sql("CREATE SCHEMA t_standby")
    sql("CREATE FUNCTION t_standby.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true'")
    options = {"options": "-c search_path=t_standby,public,pg_catalog"}
    monkeypatch.setitem(connection.settings_dict, "DIRECT", options)
    try:
        listener_made().start()
        until(lambda: "the server is a standby" in caplog.text)
    finally:
        sql("DROP SCHEMA t_standby CASCADE")


def test_a_pooler_that_moves_sessions_is_logged_once_and_gives_no_lease(cache, silent, caplog):
    heard = silent(period_s=0.02)

    until(lambda: cache.invalidations["reconnect"] > 3)
    assert cache._lease_until < 0
    assert heard.status().reconnects == 0
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "Transaction pooling?" in record.message
    assert "set DATABASE_DIRECT_URL" in record.message


def test_a_listener_is_one_thread_that_does_not_keep_a_process_alive(listen):
    heard = listen(period_s=LONG_S)

    assert heard._thread.daemon
    assert [each.name for each in threading.enumerate()].count("sysconfig-listener") == 1
