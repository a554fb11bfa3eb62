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


def test_concurrent_take_overs_have_different_epochs():
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


def test_heartbeat_of_an_old_epoch_is_refused():
    first = SchedulerHeartbeat.objects.take_over("host", 1, 2)
    second = SchedulerHeartbeat.objects.take_over("host", 1, 2)

    assert not SchedulerHeartbeat.objects.beat(first, timedelta(0))
    assert SchedulerHeartbeat.objects.beat(second, timedelta(0))


def test_take_over_records_holder_time_and_session():
    SchedulerHeartbeat.objects.take_over("old", 1, 2)
    SchedulerHeartbeat.objects.update(acquired_at=Now() - timedelta(hours=1), last_loop_at=Now())

    row = SchedulerHeartbeat.objects.take_over("new", 3, 4)

    assert (row.holder, row.pid, row.lock_pid, row.epoch, row.last_loop_at) == ("new", 3, 4, 2, None)
    assert row.acquired_at == row.heartbeat_at
    assert SchedulerHeartbeat.objects.filter(acquired_at__gt=Now() - timedelta(minutes=1)).exists()


def test_process_announces_a_new_role_at_once_else_at_intervals(session):
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


def test_leader_deletes_silent_processes_and_those_without_a_session(session):
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


def test_older_versions_rows_can_still_be_written():
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


def test_failing_chore_ends_this_turns_chores_only():
    done = []

    def broken():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")

    run_until_failure(lambda: done.append(1), broken, lambda: done.append(2))

    assert done == [1]
    assert SchedulerHeartbeat.objects.filter(epoch=F("epoch")).count() == 0


def test_interval_timer_is_due_at_first_and_then_after_the_interval():
    now, hourly = IntervalTimer(0), IntervalTimer(3600)

    assert [now.due(), now.due(), hourly.due(), hourly.due()] == [True, True, True, False]
