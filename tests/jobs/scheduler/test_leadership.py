import os
import socket
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from tests.jobs.conftest import COMMITTED, until
from tradingsite.jobs.models import SchedulerHeartbeat, SchedulerProcess
from tradingsite.jobs.scheduler.intervals import Intervals, IntervalTimer
from tradingsite.jobs.scheduler.lock import LeaderLock
from tradingsite.jobs.scheduler.presence import Presence
from tradingsite.jobs.scheduler.supervisor import run_until_failure

pytestmark = COMMITTED


@pytest.fixture
def session():
    """A session of the server that lives for the test."""
    lock = LeaderLock()
    lock.acquire()
    yield lock.session_pid
    lock.release()


def waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_each_take_over_has_an_epoch_of_its_own_also_when_many_happen_at_once():
    epochs: list[int] = []

    def take_over():
        epochs.append(SchedulerHeartbeat.objects.take_over("host", 1, 2).epoch)
        connection.close()

    take_over()
    threads = [threading.Thread(target=take_over) for _ in range(8)]
    with transaction.atomic():
        SchedulerHeartbeat.objects.select_for_update().get()  # so that all of them meet at the row
        for thread in threads:
            thread.start()
        until(lambda: waiting() == 8)
    for thread in threads:
        thread.join()

    assert sorted(epochs) == list(range(1, 10))


def test_a_heartbeat_is_of_one_epoch_and_no_other_can_give_it():
    first = SchedulerHeartbeat.objects.take_over("host", 1, 2)
    second = SchedulerHeartbeat.objects.take_over("host", 1, 2)

    assert not SchedulerHeartbeat.objects.beat(first, timedelta(0))
    assert SchedulerHeartbeat.objects.beat(second, timedelta(0))


def test_a_take_over_says_who_and_since_when_and_by_which_session():
    SchedulerHeartbeat.objects.take_over("old", 1, 2)
    SchedulerHeartbeat.objects.update(acquired_at=Now() - timedelta(hours=1), last_loop_at=Now())

    row = SchedulerHeartbeat.objects.take_over("new", 3, 4)

    assert (row.holder, row.pid, row.lock_pid, row.epoch, row.last_loop_at) == ("new", 3, 4, 2, None)
    assert row.acquired_at == row.heartbeat_at
    assert SchedulerHeartbeat.objects.filter(acquired_at__gt=Now() - timedelta(minutes=1)).exists()


def test_a_process_says_that_it_is_there_at_once_when_its_role_changes_else_from_time_to_time(session):
    presence = Presence(Intervals(seen_every_s=60))
    presence.announce(session, leads=False)
    first = SchedulerProcess.objects.get()
    presence.announce(session, leads=False)
    assert SchedulerProcess.objects.get().seen_at == first.seen_at
    presence.announce(session, leads=True)

    row = SchedulerProcess.objects.get()
    assert (first.role, row.role) == ("standby", "leader")
    assert (row.host, row.pid, row.backend_pid) == (socket.gethostname(), os.getpid(), session)
    assert row.seen_at > first.seen_at
    assert row.started_at == first.started_at

    presence.end()
    assert not SchedulerProcess.objects.exists()


def test_the_leader_forgets_who_is_silent_and_who_has_lost_its_session(session):
    silent = SchedulerProcess.objects.create(host="silent", pid=1, backend_pid=session)
    SchedulerProcess.objects.update(seen_at=Now() - timedelta(seconds=21))
    SchedulerProcess.objects.create(host="gone", pid=2, backend_pid=2**31 - 1)
    SchedulerProcess.objects.create(host="there", pid=3, backend_pid=session)
    Presence(Intervals()).announce(session, leads=False)
    assert SchedulerProcess.objects.count() == 4, "a standby clears nothing away"

    Presence(Intervals()).announce(session, leads=True)

    assert set(SchedulerProcess.objects.values_list("host", flat=True)) == {"there", socket.gethostname()}
    silent.save()  # it was only slow
    assert SchedulerProcess.objects.filter(host="silent").exists()


def test_an_older_version_s_rows_can_still_be_written():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scheduler_heartbeat (id, holder, pid, acquired_at, heartbeat_at)"
            " VALUES (1, 'old', 1, now(), now())"
        )
        cursor.execute(
            "INSERT INTO job_state (job_name, last_error, last_counts, consecutive_failures, runs)"
            " VALUES ('old', '', '{}', 0, 0)"
        )

    assert SchedulerHeartbeat.objects.get().epoch == 0


def test_a_chore_that_fails_costs_the_rest_of_this_turn_and_nothing_else():
    done = []

    def broken():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")

    run_until_failure(lambda: done.append(1), broken, lambda: done.append(2))

    assert done == [1]
    assert SchedulerHeartbeat.objects.filter(epoch=F("epoch")).count() == 0


def test_every_so_often_means_at_the_first_time_and_then_after_the_interval():
    now, hourly = IntervalTimer(0), IntervalTimer(3600)

    assert [now.due(), now.due(), hourly.due(), hourly.due()] == [True, True, True, False]
