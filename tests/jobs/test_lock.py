import psycopg
import pytest
from django.db import connection

from tests.jobs.conftest import COMMITTED, until
from tradingsite.jobs import lock
from tradingsite.jobs.lock import LeaderLock, NotOneSession

pytestmark = COMMITTED


@pytest.fixture
def locks():
    pair = LeaderLock(), LeaderLock()
    yield pair
    for each in pair:
        each.release()


def end_its_session(held):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [held._connection.info.backend_pid])


def test_one_process_holds_it_and_the_other_gets_it_when_the_first_lets_go(locks):
    first, second = locks
    assert first.acquire()
    assert not second.acquire()
    assert (first.holds(), second.holds()) == (True, False)

    first.release()
    until(second.acquire)

    assert not first.holds()


def test_a_session_that_ended_holds_nothing_and_says_so(locks):
    first, second = locks
    first.acquire()
    end_its_session(first)

    with pytest.raises(psycopg.OperationalError):
        first.holds()
    assert second.acquire()
    first.release()
    assert not first.acquire()


def test_an_address_where_statements_change_sessions_is_refused(locks, monkeypatch):
    monkeypatch.setattr(lock, "_HOLDS", lock._HOLDS.replace("pg_backend_pid()", "pg_backend_pid() + 1"))

    with pytest.raises(NotOneSession):
        locks[0].acquire()
    assert locks[0]._connection is None


def test_the_direct_address_is_used_where_there_is_one(locks, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "DIRECT", {"application_name": "x", "dbname": "postgres"})

    until(locks[0].acquire)
    assert not locks[1].acquire()
    assert locks[0]._connection.info.dbname == "postgres"


def test_an_address_where_nobody_answers_is_an_error_and_the_next_try_looks_again(
    locks, monkeypatch, tmp_path
):
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})
        with pytest.raises(psycopg.OperationalError):
            locks[0].acquire()

    until(locks[0].acquire)
