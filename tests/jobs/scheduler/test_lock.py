from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from sysconfig.push.connection import parameters
from tests.jobs.conftest import COMMITTED, until
from tests.jobs.pooler import Pooler
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.scheduler import lock
from tradingsite.jobs.scheduler.lock import LeaderLock, NotOneSession

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


def test_lock_goes_to_the_next_when_it_is_released(locks):
    first, second = locks
    assert first.acquire()
    assert not second.acquire()
    assert (first.holds(), second.holds()) == (True, False)

    first.release()
    until(second.acquire)

    assert not first.holds()


def test_check_returns_the_lock_and_whether_a_run_is_requested(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    JobState.objects.create(job_name="good")
    assert first.check() == (True, False)

    JobState.objects.update(run_requested_at=Now())

    assert (first.check(), second.check()) == ((True, True), (False, True))
    first.release()
    assert first.check() == (False, False)


def test_ended_session_holds_no_lock_and_raises(locks):
    first, second = locks
    first.acquire()
    end_its_session(first)

    for question in (first.holds, first.check):
        with pytest.raises(psycopg.OperationalError):
            question()
    assert second.acquire()
    first.release()
    assert not first.acquire()


def test_address_where_statements_change_sessions_is_refused(locks, monkeypatch):
    monkeypatch.setattr(lock, "_HOLDS", lock._HOLDS.replace("pg_backend_pid()", "pg_backend_pid() + 1"))

    with pytest.raises(NotOneSession):
        locks[0].acquire()
    assert locks[0]._connection is None


def beat(seconds_ago, lock_pid):
    leader = SchedulerHeartbeat.objects.take_over("host", 1, lock_pid)
    SchedulerHeartbeat.objects.update(heartbeat_at=Now() - timedelta(seconds=seconds_ago))
    return leader


def test_silent_holder_loses_its_session_and_the_lock(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(16, first.session_pid)

    assert second.break_frozen(15)
    assert second.acquire()

    with pytest.raises(psycopg.OperationalError):
        first.holds()


def test_holder_with_a_heartbeat_keeps_its_session(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(14, first.session_pid)

    assert not second.break_frozen(15)
    assert first.holds()


def test_new_holder_is_not_judged_by_the_old_heartbeat(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(3600, 1)

    assert not second.break_frozen(15)
    assert first.holds()


@pytest.mark.parametrize("another_led_before", [True, False])
def test_holder_frozen_before_its_first_row_loses_its_session(locks, another_led_before):
    first, second = locks
    first.acquire()
    second.acquire()
    if another_led_before:
        beat(3600, 1)

    until(lambda: second.break_frozen(0.1))  # its session was idle for that long


def test_lock_without_a_holder_is_not_broken(locks):
    locks[0].acquire()
    locks[0].release()
    until(locks[1].acquire)

    assert not locks[1].break_frozen(15)


def test_pooler_is_recognised_by_its_greeting(locks, monkeypatch, tmp_path):
    """It greets with a process id of its own; behind it two schedulers could hold one session's lock."""
    with Pooler(tmp_path, parameters(connection, **lock._CONNECTION)) as pooler:
        monkeypatch.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})
        with pytest.raises(NotOneSession):
            locks[0].acquire()

    assert pooler.greeted
    assert locks[0].session_pid is None


def test_direct_address_is_used_if_there_is_one(locks, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "DIRECT", {"application_name": "x", "dbname": "postgres"})

    until(locks[0].acquire)
    assert not locks[1].acquire()
    assert locks[0]._connection.info.dbname == "postgres"


def test_address_without_an_answer_raises_and_is_tried_again(locks, monkeypatch, tmp_path):
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})
        with pytest.raises(psycopg.OperationalError):
            locks[0].acquire()

    until(locks[0].acquire)
