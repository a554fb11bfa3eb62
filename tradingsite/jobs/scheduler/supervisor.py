"""The scheduler's main thread: gets the lock, leads while it holds it, and stops on a signal.

See docs/scheduler.md, R1 to R6, R20 and R24.
"""

import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
import structlog
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from healthcheck.alerts.sender import AlertSender
from healthcheck.history.recorder import Recorder
from tradingsite.jobs.control import requested_runs
from tradingsite.jobs.job_metric import describe
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.records import rollup
from tradingsite.jobs.scheduler.intervals import Intervals, IntervalTimer, in_force
from tradingsite.jobs.scheduler.lock import LeaderLock
from tradingsite.jobs.scheduler.loop import SafeScheduler
from tradingsite.jobs.scheduler.presence import Presence
from tradingsite.jobs.scheduler.runner import Runner
from tradingsite.jobs.scheduler.watchdog import FROZEN
from tradingsite.jobs.shutdown import Stop, winding_down
from tradingsite.jobs.timetable import registered
from tradingsite.marketdata import venue_stats
from tradingsite.startup import refuse_other_mode

logger = structlog.get_logger(__name__)


class LockLost(Exception):
    """Another process may lead now."""


class Supervisor:
    """One scheduler process. Any number may run: the one with the lock leads, the others wait for it.

    The watchdog calls `silent_s` and the members below it, so they wait for no lock and no database.
    """

    def __init__(
        self,
        stop: Stop,
        grace_s: float,
        *,
        intervals: Intervals | None = None,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        """Prepare without touching the database.

        Args:
            stop: when it is set, the scheduler stops.
            grace_s: how long running jobs may take then.
            intervals: instead of those in the settings.
            clock: of the timetable; ages are never measured with it.
        """
        self._stop = stop
        self._grace_s = grace_s
        self._intervals = intervals or in_force()
        self._clock = clock
        self._jobs = registered()
        self._lock = LeaderLock()
        self._runner = Runner(self._jobs, self._still_leads, epoch=lambda: self.epoch, clock=clock)
        self._loop = SafeScheduler(
            self._jobs.values(),
            run_tick=self._runner.run_tick,
            skipped=self._runner.skip,
            clock=clock,
            longest_wait_s=self._intervals.longest_wait_s,
        )
        self._recorder = Recorder(
            lambda: self.epoch is not None, AlertSender(), tick_every_s=self._intervals.health_look_every_s
        )
        self._leader: SchedulerHeartbeat | None = None
        self._presence = Presence(self._intervals)
        self._beat = IntervalTimer(self._intervals.beat_every_s)
        self._flush = IntervalTimer(self._intervals.flush_every_s)
        self._venue_stats = IntervalTimer(self._intervals.venue_stats_every_s)
        self._last_turn_s = time.monotonic()
        self._waiting_logged = self._trouble_logged = False

    @property
    def epoch(self) -> int | None:
        """The fencing token of the present term of this process; None while it does not lead."""
        leader = self._leader
        return leader.epoch if leader else None

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._last_turn_s

    @property
    def loop_silent_s(self) -> float:
        return self._loop.age_s

    def over_hard_limit(self) -> list[tuple[str, float]]:
        return self._runner.over_hard_limit()

    def log_hard_limit(self, name: str) -> None:
        self._runner.log_hard_limit(name)

    def run(self) -> int:
        """Supervise until `stop` is set; return the exit code of the process.

        Raises:
            CannotStart: the database belongs to another mode.
            NotOneSession: sessions at this address cannot hold the lock.
        """
        winding_down.clear()
        self._loop.start(paused=True)
        self._recorder.start()
        try:
            return self._supervise()
        finally:
            self._recorder.stop()
            self._loop.end()
            self._lock.release()

    def _supervise(self) -> int:
        failures, delays_s = 0, (self._intervals.poll_s, *self._intervals.retry_after_s)
        while not self._stop.is_set():
            # The whole process was frozen, the watchdog as well.
            if self.silent_s > self._intervals.frozen_after_s:
                logger.critical("scheduler.was_frozen", silent_s=round(self.silent_s, 1))
                return FROZEN
            failures = 0 if self._step() else min(failures + 1, len(delays_s) - 1)
            if not self._loop.thread_is_alive:
                logger.critical("scheduler.loop_ended")
                return FROZEN
            self._stop.wait(delays_s[failures])
        return self._wind_down()

    def _step(self) -> bool:
        """Do what is due; return False if the database or the lock failed."""
        self._last_turn_s = time.monotonic()
        try:
            if self._leader is None:
                self._try_to_lead()
            else:
                self._keep(self._leader)
        except (psycopg.Error, DatabaseError, LockLost) as error:
            self._resign(error)
            return False
        finally:
            connections.close_all()
        self._trouble_logged = False
        return True

    def _try_to_lead(self) -> None:
        if self._lock.acquire() or self._take_lock_from_frozen_leader():
            refuse_other_mode()
            self._lead()
        elif not self._waiting_logged:
            logger.info("scheduler.waiting", reason="another scheduler leads")
            self._waiting_logged = True
        run_until_failure(self._announce_presence)

    def _take_lock_from_frozen_leader(self) -> bool:
        if not self._lock.break_frozen(self._intervals.frozen_after_s):
            return False
        logger.warning("scheduler.ended_frozen_leader", after_s=self._intervals.frozen_after_s)
        return self._lock.acquire()

    def _lead(self) -> None:
        leader = SchedulerHeartbeat.objects.take_over(
            socket.gethostname(), os.getpid(), self._lock.session_pid
        )
        JobState.objects.register(self._jobs)
        JobState.objects.await_ticks(self._jobs)
        self._runner.flush()
        self._runner.close_abandoned()
        run_at_start = [job.name for job in self._jobs.values() if job.at_once]
        last_ticks = JobState.objects.last_ticks(only_if_succeeded=run_at_start)
        self._loop.store.align(self._jobs.values(), last_ticks, self._clock())
        self._leader = leader  # from now on runs can be claimed
        self._loop.lead()
        self._waiting_logged = False
        logger.info("scheduler.leading", epoch=leader.epoch, jobs=list(self._jobs))

    def _keep(self, leader: SchedulerHeartbeat) -> None:
        check = self._lock.check()
        if not check.holds:
            raise LockLost("the lock is not held by this session")
        if self._loop.age_s > self._intervals.loop_dead_after_s:
            logger.error("scheduler.loop_stuck", age_s=round(self._loop.age_s))
        elif self._beat.due() and not SchedulerHeartbeat.objects.beat(
            leader, timedelta(seconds=self._loop.age_s)
        ):
            raise LockLost("another scheduler has taken over")
        self._runner.flush()
        if check.run_requested and not self._stop.is_set():
            run_until_failure(self._hand_out_requests)
        run_until_failure(self._flush_rollup, self._flush_venue_stats, self._announce_presence)

    def _hand_out_requests(self) -> None:
        hand_out_requests(self._loop)

    def _flush_rollup(self) -> None:
        if self._flush.due():
            rollup.flush()

    def _flush_venue_stats(self) -> None:
        if self._venue_stats.due():
            venue_stats.flush()

    def _announce_presence(self) -> None:
        self._presence.announce(self._lock.session_pid, leads=self._leader is not None)

    def _still_leads(self) -> bool:
        """Return whether this process leads. Called in the thread of a job right before its run.

        The supervisor's own check may be a second old. A process that was frozen starts nothing, even if it
        still has the lock: the tick may be old.
        """
        if self._leader is None or self.silent_s > self._intervals.frozen_after_s:
            return False
        try:
            return self._lock.holds()
        except psycopg.Error:
            return False

    def _resign(self, error: Exception) -> None:
        """Stop claiming first, before anything that may block."""
        led, self._leader = self._leader is not None, None
        self._loop.rest()
        self._lock.release()
        if not self._trouble_logged:
            logger.error("scheduler.resigned" if led else "scheduler.cannot_lead", error=describe(error))
            self._trouble_logged = True

    def _wind_down(self) -> int:
        """Wait for running jobs, at most for the grace period; return 0 if all ended, else 1."""
        self._loop.end()
        self._runner.close()
        winding_down.set()
        logger.info("scheduler.stopping", running=sorted(self._runner.running))
        deadline = time.monotonic() + self._grace_s
        while (left_s := deadline - time.monotonic()) > 0:
            if self._runner.wait_until_idle(min(left_s, self._intervals.poll_s)):
                break
            self._last_turn_s = time.monotonic()  # also without the lead: running jobs are waited for
            if self._leader is not None:
                self._step()
        if not self._trouble_logged:  # without a database it would fail
            run_until_failure(rollup.flush, self._presence.end)
        connections.close_all()
        running = self._runner.running
        logger.info("scheduler.stopped", still_running=sorted(running))
        return 1 if running else 0


def hand_out_requests(loop: SafeScheduler) -> None:
    """Start the requested runs. The request of a job that still runs stays.

    So does one whose job has a scheduled tick due: the claim of a later time would block the claim of that
    tick.
    """
    for request in requested_runs(loop.job_names):
        due = loop.is_due(request.job_name, request.tick)
        if not due and loop.run_now(request.job_name, request.tick):
            logger.info("scheduler.run_requested", job=request.job_name)


def run_until_failure(*chores: Callable[[], None]) -> None:
    """Do work whose failure does not end the lead, up to the first failure; the next turn tries again.

    After one failure of the database the others would fail as well.
    """
    for chore in chores:
        try:
            chore()
        except DatabaseError as error:
            logger.warning("scheduler.chore_failed", error=type(error).__name__)
            return
