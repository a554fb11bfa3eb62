"""Faults between a process and the server, and what the cache serves meanwhile (rules 18 and 19)."""

import os
import signal
import threading

import psycopg
import pytest
from django.db import connection

from sysconfig.cache import UNLEASED_TTL_S
from sysconfig.push.connection import direct_connect, parameters
from tests.sysconfig.committed.hearing import SHORT_S, row_of, sql, stored, terminate, until, update

pytestmark = pytest.mark.usefixtures("some_rows")


@pytest.fixture
def no_way_back(monkeypatch, tmp_path):
    """Let new direct connections fail until the returned call."""
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})
        yield away.undo


def test_a_terminated_session_is_replaced_and_changes_are_notified_again(cache, listen):
    heard = listen()
    first = until(lambda: row_of(heard))
    terminate(heard)
    until(lambda: heard.status().reconnects == 1)
    cache.get_or_set("t_count", stored("t_count"))
    update("t_count", "7")

    until(lambda: cache.get_or_set("t_count", stored("t_count")) == "7")
    second = until(lambda: row_of(heard)[0] != first[0] and row_of(heard))
    assert second[1:] != first[1:]  # the version is this process's; its session is new


def test_a_lost_session_ends_the_lease_at_once(cache, listen, request):
    heard = listen()
    cache.get_or_set("t_count", stored("t_count"))
    request.getfixturevalue("no_way_back")
    terminate(heard)

    until(lambda: not cache.entries)
    assert cache._lease_until < 0
    cache.get_or_set("t_count", stored("t_count"))
    assert cache.entries["t_count"][1] <= cache._clock() + UNLEASED_TTL_S


def test_an_edit_made_while_disconnected_is_read_after_the_reconnect(cache, listen, request):
    heard = listen()
    back = request.getfixturevalue("no_way_back")
    terminate(heard)
    until(lambda: cache._lease_until < 0)
    cache.get_or_set("t_count", stored("t_count"))
    update("t_count", "7")
    back()
    until(lambda: heard.status().reconnects == 1)

    assert cache.get_or_set("t_count", stored("t_count")) == "7"


def test_a_load_begun_before_the_reconnect_is_discarded(cache, listen, elsewhere):
    heard = listen()
    read, end = threading.Event(), threading.Event()

    def load():
        value = stored("t_count")()
        read.set()
        assert end.wait(60)
        return value

    slow = elsewhere(cache.get_or_set, "t_count", load)
    assert read.wait(60)
    terminate(heard)
    until(lambda: heard.status().reconnects == 1)
    end.set()

    assert slow.result(60) == "5"
    assert "t_count" not in cache.entries
    assert cache.discarded == 1


def test_a_session_that_no_longer_listens_is_replaced(cache, listen, caplog):
    heard = listen(period_s=SHORT_S)
    cache.get_or_set("t_count", stored("t_count"))
    heard.session.execute("UNLISTEN *")
    update("t_count", "7")

    until(lambda: cache.get_or_set("t_count", stored("t_count")) == "7")
    until(lambda: heard.status().reconnects >= 1)
    assert "Transaction pooling?" in caplog.text


def test_a_server_that_stops_answering_is_given_up(cache, listen):
    """No error ever comes: neither from the socket, nor from the statement that sends the heartbeat."""
    heard = listen(period_s=SHORT_S)
    silent = until(lambda: row_of(heard))[0]
    cache.get_or_set("t_count", stored("t_count"))
    os.kill(silent, signal.SIGSTOP)
    try:
        update("t_count", "7")

        until(lambda: cache.get_or_set("t_count", stored("t_count")) == "7")
        until(lambda: heard.status().reconnects >= 1)
    finally:
        os.kill(silent, signal.SIGCONT)


def test_a_schema_that_is_not_migrated_yet_is_waited_for(cache, listener_made, caplog):
    sql("ALTER FUNCTION system_config_fingerprint() RENAME TO t_hidden")
    heard = listener_made()
    try:
        heard.start()
        until(lambda: "UndefinedFunction" in caplog.text)
    finally:
        sql("ALTER FUNCTION t_hidden() RENAME TO system_config_fingerprint")

    until(lambda: row_of(heard))


def test_a_repeated_failure_is_logged_once_until_a_session_works_again(listen, request, caplog):
    heard = listen()
    back = request.getfixturevalue("no_way_back")
    terminate(heard)
    until(lambda: len(heard.delays) > 3)
    assert caplog.text.count("no notifications of configuration changes") == 1
    back()
    until(lambda: heard.status().reconnects == 1)
    terminate(heard)

    until(lambda: heard.status().reconnects == 2)
    assert caplog.text.count("no notifications of configuration changes") == 2


def test_the_pauses_grow_from_the_first_to_the_longest_with_jitter(listener_made):
    heard = listener_made(delays_s=(0.05, 5.0))
    pauses = [heard._delay_s(failures) for failures in (1, 2, 3, 8, 1000)]

    for pause, longest in zip(pauses, (0.05, 0.1, 0.2, 5.0, 5.0), strict=True):
        assert longest / 2 <= pause <= longest
    assert len({heard._delay_s(1) for _ in range(5)}) > 1


def test_an_address_without_a_server_makes_the_embedded_server_be_checked_again(no_way_back):
    connection.get_connection_params()
    with pytest.raises(psycopg.OperationalError):
        direct_connect(psycopg.Connection, connection, application_name="test")

    assert getattr(connection, "server")._socket_folder is None  # noqa: B009 - the stubs know Django's own only


def test_direct_parameters_are_djangos_with_what_direct_replaces(settings, monkeypatch):
    direct_url = {"host": "db.example", "options": "-c search_path=x"}
    monkeypatch.setitem(connection.settings_dict, "DIRECT", direct_url)
    given = parameters(connection, application_name="me", options="-c statement_timeout=1", keepalives_idle=7)

    assert given["host"] == "db.example"
    assert given["dbname"] == connection.settings_dict["NAME"]
    assert given["options"] == "-c search_path=x -c statement_timeout=1"
    assert (given["application_name"], given["keepalives_idle"], given["autocommit"]) == ("me", 7, True)
    assert not given.keys() & {"cursor_factory", "context", "prepare_threshold"}
