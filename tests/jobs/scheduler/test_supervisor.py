import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from tests.jobs import timetables
from tests.jobs.conftest import COMMITTED, NOON, until
from tradingsite.clients.call_log import CallLog
from tradingsite.clients.deadline import SYSTEM_CLOCK
from tradingsite.jobs.models import JobState, SchedulerHeartbeat, SchedulerProcess
from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.scheduler.lock import LeaderLock, LockCheck
from tradingsite.jobs.scheduler.supervisor import LockLost, Supervisor
from tradingsite.jobs.scheduler.watchdog import FROZEN
from tradingsite.jobs.shutdown import winding_down
from tradingsite.marketdata import venue_stats
from tradingsite.marketdata.models import VenueEvidence
from tradingsite.startup import CannotStart

pytestmark = COMMITTED


@pytest.fixture
def supervisors(settings):
    """Make supervisors of a timetable of which nothing comes due; they are stepped by hand."""
    settings.JOBS_SCHEDULE = "tests.jobs.timetables.RARE"
    timetables.release.clear()
    timetables.begun.clear()
    made = []

    def make(stop=None, grace_s=5, **limits):
        made.append(Supervisor(stop or threading.Event(), grace_s, intervals=Intervals(**limits)))
        made[-1]._loop.start(paused=True)
        return made[-1]

    yield make
    timetables.release.set()
    for supervisor in made:
        supervisor._runner.wait_until_idle(60)
        supervisor._loop.end()
        supervisor._lock.release()


def leads(supervisor):
    return supervisor._leader is not None


def end_lock_session(supervisor):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [supervisor._lock._connection.info.backend_pid]
        )


def left_running(tick):
    JobState.objects.filter(job_name="good").update(last_tick=tick, running_since=Now())


def run_in_thread(supervisor, name):
    thread = threading.Thread(target=supervisor._runner.run_tick, args=(name, NOON))
    thread.start()
    return thread


def test_second_waits_and_takes_over(supervisors):
    first, second = supervisors(), supervisors()
    assert first._step()
    assert second._step()
    assert second._step()
    assert (leads(first), leads(second)) == (True, False)
    began = SchedulerHeartbeat.objects.get().acquired_at

    first._lock.release()
    until(lambda: second._step() and leads(second))

    assert SchedulerHeartbeat.objects.get().acquired_at > began


def test_leader_registers_every_job_with_its_next_run(supervisors):
    supervisors()._step()

    assert set(JobState.objects.values_list("job_name", flat=True)) == {
        "good",
        "broken",
        "blocking",
        "interrupted",
    }
    assert DjangoJob.objects.filter(next_run_time__isnull=False).count() == 4


def test_next_leader_repeats_a_killed_first_run(supervisors, settings):
    settings.JOBS_SCHEDULE = "tests.jobs.timetables.AT_ONCE"
    (job,) = timetables.AT_ONCE
    now = timezone.now()
    JobState.objects.register(["good"])
    left_running(job.trigger.floor(now))
    DjangoJob.objects.create(id="good", next_run_time=job.trigger.floor(now) + job.every, job_state=b"")

    supervisors()._step()

    until(lambda: JobState.objects.get(job_name="good").last_success)


def test_lost_lock_stops_new_runs_until_it_is_back(supervisors):
    supervisor = supervisors()
    supervisor._step()
    end_lock_session(supervisor)

    run_in_thread(supervisor, "good").join(60)  # before the supervisor has noticed
    assert JobState.objects.get(job_name="good").last_tick is None
    assert not supervisor._step()
    assert not leads(supervisor)
    assert supervisor._step()

    assert leads(supervisor)
    run_in_thread(supervisor, "good").join(60)
    assert JobState.objects.get(job_name="good").last_tick == NOON


def test_scheduler_waits_when_another_has_got_its_lock(supervisors):
    first, second = supervisors(), supervisors()
    first._step()
    end_lock_session(first)
    second._step()

    assert (first._step(), first._step()) == (False, True)
    assert (leads(first), leads(second)) == (False, True)


def test_lock_held_by_another_session_counts_as_lost(supervisors, monkeypatch):
    supervisor = supervisors()
    supervisor._step()
    monkeypatch.setattr(LeaderLock, "check", lambda _: LockCheck(holds=False, run_requested=False))

    assert not supervisor._step()
    assert not leads(supervisor)


def test_leader_beats_and_records_its_loops_last_round(supervisors):
    supervisor = supervisors(beat_every_s=0)
    supervisor._step()
    before = SchedulerHeartbeat.objects.get()
    supervisor._step()

    after = SchedulerHeartbeat.objects.get()
    assert after.heartbeat_at > before.heartbeat_at
    assert after.last_loop_at is not None
    assert after.last_loop_at > after.heartbeat_at - timedelta(seconds=10)


def test_leader_writes_the_statistics_of_its_calls(supervisors, monkeypatch):
    log = CallLog()
    monkeypatch.setattr(venue_stats, "_CALL_LOGS", {"upbit": log})
    monkeypatch.setattr(venue_stats, "_saved_versions", {})
    supervisor = supervisors(venue_stats_every_s=0)
    supervisor._step()
    with log.recording(SYSTEM_CLOCK):
        pass

    supervisor._step()

    assert VenueEvidence.objects.get().answered == 1


def test_leader_of_an_old_epoch_resigns(supervisors):
    supervisor = supervisors(beat_every_s=0)
    supervisor._step()
    SchedulerHeartbeat.objects.update(epoch=F("epoch") + 1)

    assert not supervisor._step()


def test_stuck_loop_gets_no_heartbeat(supervisors):
    supervisor = supervisors(beat_every_s=0, loop_dead_after_s=-1)
    supervisor._step()
    before = SchedulerHeartbeat.objects.get().heartbeat_at
    supervisor._step()

    assert SchedulerHeartbeat.objects.get().heartbeat_at == before


def test_process_ends_when_its_loop_has_ended(settings):
    settings.JOBS_SCHEDULE = "tests.jobs.timetables.EMPTY"
    supervisor = Supervisor(threading.Event(), grace_s=1, intervals=Intervals(poll_s=0.05))

    def end_the_loop():
        until(lambda: supervisor._loop.thread_is_alive)
        supervisor._loop.end()

    ending = threading.Thread(target=end_the_loop)
    ending.start()

    assert supervisor.run() == FROZEN
    ending.join()


def test_unprepared_database_is_waited_for(supervisors):
    supervisor = supervisors()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE scheduler_heartbeat RENAME TO away")
    try:
        tries = supervisor._step(), supervisor._step(), leads(supervisor)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO scheduler_heartbeat")

    assert tries == (False, False, False)
    assert supervisor._step()
    assert leads(supervisor)


def test_other_modes_database_is_refused(supervisors, settings):
    settings.TRADING_MODE = "live"

    with pytest.raises(CannotStart, match="belongs to sandbox mode"):
        supervisors()._step()


def test_next_leader_closes_runs_of_a_dead_process(supervisors):
    first, second = supervisors(), supervisors()
    first._step()
    left_running(NOON)
    JobState.objects.create(job_name="of_another_version", running_since=NOON)
    first._lock.release()
    until(lambda: second._step() and leads(second))

    good = JobState.objects.get(job_name="good")
    assert (good.running_since, good.last_success, good.runs) == (None, False, 1)
    assert good.last_error == "aborted: its scheduler ended first"
    assert JobState.objects.get(job_name="of_another_version").running_since == NOON


def test_own_run_is_not_closed_in_a_new_term(supervisors):
    supervisor = supervisors()
    supervisor._step()
    thread = run_in_thread(supervisor, "blocking")
    assert timetables.begun.wait(60)
    end_lock_session(supervisor)
    supervisor._step()
    supervisor._step()
    assert JobState.objects.get(job_name="blocking").running_since is not None

    timetables.release.set()
    thread.join(60)

    blocking = JobState.objects.get(job_name="blocking")
    assert (blocking.running_since, blocking.last_success, blocking.runs) == (None, True, 1)


def test_stop_lets_runs_end_frees_the_lock_and_returns_0(supervisors):
    stop, codes = threading.Event(), []
    supervisor = Supervisor(stop, grace_s=60)
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
    thread.start()
    until(lambda: leads(supervisor))
    job = run_in_thread(supervisor, "blocking")
    assert timetables.begun.wait(60)

    stop.set()
    assert winding_down.wait(60)
    timetables.release.set()
    thread.join(60)
    job.join(60)

    assert codes == [0]
    assert JobState.objects.get(job_name="blocking").last_success
    other = LeaderLock()
    until(other.acquire)
    other.release()


def test_stop_returns_1_when_a_run_outlasts_the_grace(supervisors):
    supervisor = supervisors(grace_s=0.1)
    supervisor._step()
    run_in_thread(supervisor, "blocking")
    assert timetables.begun.wait(60)

    assert supervisor._wind_down() == 1


def test_stop_after_a_resignation_waits_for_runs_and_is_not_silent(supervisors):
    supervisor = supervisors(grace_s=0.1, poll_s=0.01)
    supervisor._step()
    run_in_thread(supervisor, "blocking")
    assert timetables.begun.wait(60)
    supervisor._resign(LockLost("for the test"))
    supervisor._last_turn_s -= 3600

    assert supervisor._wind_down() == 1

    assert supervisor.silent_s < 60
    assert supervisor.epoch is None


def test_thawed_process_ends_before_it_does_anything(supervisors):
    supervisor = supervisors()
    supervisor._last_turn_s -= 16

    assert supervisor._supervise() == FROZEN
    assert not SchedulerHeartbeat.objects.exists()


def test_thawed_leader_starts_no_run_although_it_holds_the_lock(supervisors):
    supervisor = supervisors()
    supervisor._step()
    supervisor._last_turn_s -= 16  # the loop and the jobs' threads may be the first to go on

    run_in_thread(supervisor, "good").join(60)

    assert JobState.objects.get(job_name="good").last_tick is None


def test_standby_ends_a_frozen_leader_and_leads_with_the_next_epoch(supervisors):
    first, second = supervisors(), supervisors()
    first._step()
    second._step()
    SchedulerHeartbeat.objects.update(heartbeat_at=Now() - timedelta(seconds=16))

    assert second._step()

    assert (first.epoch, second.epoch) == (1, 2)
    assert not first._step()
    assert set(SchedulerProcess.objects.values_list("role", flat=True)) == {"leader"}


def test_requested_run_starts_unless_the_scheduler_is_stopping(supervisors):
    stop = threading.Event()
    supervisor = supervisors(stop)
    supervisor._step()
    JobState.objects.filter(job_name="good").update(run_requested_at=Now(), run_requested_by="ann")
    stop.set()
    supervisor._step()
    assert JobState.objects.get(job_name="good").last_tick is None

    stop.clear()
    supervisor._step()

    until(lambda: JobState.objects.get(job_name="good").last_success)
    state = JobState.objects.get(job_name="good")
    assert (state.last_requested_by, state.run_requested_at) == ("ann", None)
