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


def test_one_process_holds_it_and_the_other_gets_it_when_the_first_lets_go(locks):
    first, second = locks
    assert first.acquire()
    assert not second.acquire()
    assert (first.holds(), second.holds()) == (True, False)

    first.release()
    until(second.acquire)

    assert not first.holds()


def test_a_check_tells_the_lock_and_whether_somebody_asked_for_a_run(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    JobState.objects.create(job_name="good")
    assert first.check() == (True, False)

    JobState.objects.update(run_requested_at=Now())

    assert (first.check(), second.check()) == ((True, True), (False, True))
    first.release()
    assert first.check() == (False, False)


def test_a_session_that_ended_holds_nothing_and_says_so(locks):
    first, second = locks
    first.acquire()
    end_its_session(first)

    for question in (first.holds, first.check):
        with pytest.raises(psycopg.OperationalError):
            question()
    assert second.acquire()
    first.release()
    assert not first.acquire()


def test_an_address_where_statements_change_sessions_is_refused(locks, monkeypatch):
    monkeypatch.setattr(lock, "_HOLDS", lock._HOLDS.replace("pg_backend_pid()", "pg_backend_pid() + 1"))

    with pytest.raises(NotOneSession):
        locks[0].acquire()
    assert locks[0]._connection is None


def beat(seconds_ago, lock_pid):
    leader = SchedulerHeartbeat.objects.take_over("host", 1, lock_pid)
    SchedulerHeartbeat.objects.update(heartbeat_at=Now() - timedelta(seconds=seconds_ago))
    return leader


def test_a_holder_that_gives_no_sign_loses_its_session_and_the_next_in_line_gets_the_lock(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(16, first.session_pid)

    assert second.break_frozen(15)
    assert second.acquire()

    with pytest.raises(psycopg.OperationalError):
        first.holds()


def test_a_holder_that_beats_keeps_its_session(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(14, first.session_pid)

    assert not second.break_frozen(15)
    assert first.holds()


def test_a_holder_that_has_just_got_the_lock_is_not_taken_for_the_one_before(locks):
    first, second = locks
    first.acquire()
    second.acquire()
    beat(3600, 1)

    assert not second.break_frozen(15)
    assert first.holds()


@pytest.mark.parametrize("another_led_before", [True, False])
def test_a_holder_that_froze_before_it_could_write_its_row_loses_its_session_too(locks, another_led_before):
    first, second = locks
    first.acquire()
    second.acquire()
    if another_led_before:
        beat(3600, 1)

    until(lambda: second.break_frozen(0.1))  # nothing was asked of its session for so long


def test_a_lock_that_nobody_holds_is_nobody_s_to_break(locks):
    locks[0].acquire()
    locks[0].release()
    until(locks[1].acquire)

    assert not locks[1].break_frozen(15)


def test_a_pooler_is_known_by_its_greeting_before_it_can_share_out_a_session(locks, monkeypatch, tmp_path):
    """F31: it greets with a process of its own; behind it two schedulers could hold one session's lock."""
    with Pooler(tmp_path, parameters(connection, **lock._CONNECTION)) as pooler:
        monkeypatch.setitem(connection.settings_dict, "DIRECT", {"host": str(tmp_path)})
        with pytest.raises(NotOneSession):
            locks[0].acquire()

    assert pooler.greeted
    assert locks[0].session_pid is None


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
