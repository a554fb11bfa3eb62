"""The scheduler's main thread: gets the lock, leads while it holds it, beats, and ends when told to."""

import os
import socket
import time
from datetime import timedelta

import psycopg
import structlog
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from tradingsite.jobs.lock import LeaderLock
from tradingsite.jobs.loop import SafeScheduler
from tradingsite.jobs.metric import describe
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.runner import Runner
from tradingsite.jobs.schedule import registered
from tradingsite.jobs.stop import Stop, winding_down
from tradingsite.start import refuse_other_mode

logger = structlog.get_logger(__name__)

POLL_S = 1.0
BEAT_EVERY_S = 4.0
LOOP_LIMIT_S = 30.0
"""A loop that has not come round for so long is dead: without heartbeats everybody sees it."""
_RETRY_AFTER_S = (1.0, 2.0, 4.0)
"""After one failure, two, and all further ones in a row."""
LOOP_ENDED = 70


class LockLost(Exception):
    """Another process may lead now."""


class Supervisor:
    """One scheduler process. Any number may run: the one with the lock leads, the others wait for it."""

    def __init__(self, stop: Stop, grace_s: float) -> None:
        """Prepare without touching the database.

        Args:
            stop: when it is set, the scheduler winds down.
            grace_s: how long running jobs may take then.
        """
        self._stop = stop
        self._grace_s = grace_s
        self._jobs = registered()
        self._lock = LeaderLock()
        self._runner = Runner(self._jobs, self._still_leads)
        self._loop = SafeScheduler(
            self._jobs.values(), run_tick=self._runner.run_tick, skipped=self._runner.skip
        )
        self._leader: SchedulerHeartbeat | None = None
        self._beat_s = 0.0
        self._waiting_told = self._trouble_told = False

    def run(self) -> int:
        """Supervise until `stop` is set; return the process's exit code.

        Raises:
            CannotStart: the database belongs to another mode.
            NotOneSession: the lock can't work through this address.
        """
        winding_down.clear()
        self._loop.start(paused=True)
        try:
            return self._supervise()
        finally:
            self._loop.end()
            self._lock.release()

    def _supervise(self) -> int:
        failures = 0
        while not self._stop.is_set():
            failures = 0 if self._step() else min(failures + 1, len(_RETRY_AFTER_S))
            if not self._loop.thread_is_alive:
                logger.critical("scheduler.loop_ended")
                return LOOP_ENDED
            self._stop.wait(_RETRY_AFTER_S[failures - 1] if failures else POLL_S)
        return self._wind_down()

    def _step(self) -> bool:
        """Do what is due now; return False when the database or the lock failed."""
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
        self._trouble_told = False
        return True

    def _try_to_lead(self) -> None:
        if not self._lock.acquire():
            if not self._waiting_told:
                logger.info("scheduler.waiting", reason="another scheduler leads")
                self._waiting_told = True
            return
        refuse_other_mode()
        self._leader = SchedulerHeartbeat.objects.take_over(socket.gethostname(), os.getpid())
        self._beat_s = time.monotonic()
        JobState.objects.register(self._jobs)
        self._runner.flush()
        self._runner.close_abandoned()
        to_begin_with = [job.name for job in self._jobs.values() if job.at_once]
        last_ticks = JobState.objects.last_ticks(only_if_succeeded=to_begin_with)
        self._loop.store.align(self._jobs.values(), last_ticks, timezone.now())
        self._loop.lead()
        self._waiting_told = False
        logger.info("scheduler.leading", jobs=list(self._jobs))

    def _keep(self, leader: SchedulerHeartbeat) -> None:
        if not self._lock.holds():
            raise LockLost("the lock is not held by this session")
        if self._loop.age_s > LOOP_LIMIT_S:
            logger.error("scheduler.loop_stuck", age_s=round(self._loop.age_s))
        elif time.monotonic() - self._beat_s >= BEAT_EVERY_S:
            if not SchedulerHeartbeat.objects.beat(leader, timedelta(seconds=self._loop.age_s)):
                raise LockLost("another scheduler has taken over")
            self._beat_s = time.monotonic()
        self._runner.flush()

    def _still_leads(self) -> bool:
        """Asked in a job's thread right before its run: between two looks a second is long."""
        try:
            return self._leader is not None and self._lock.holds()
        except psycopg.Error:
            return False

    def _resign(self, error: Exception) -> None:
        self._loop.rest()
        self._lock.release()
        if not self._trouble_told:
            event = "scheduler.resigned" if self._leader else "scheduler.cannot_lead"
            logger.error(event, error=describe(error))
            self._trouble_told = True
        self._leader = None

    def _wind_down(self) -> int:
        """Let running jobs end, within the grace; return 0 when all did, else 1."""
        self._loop.end()
        self._runner.close()
        winding_down.set()
        logger.info("scheduler.stopping", running=sorted(self._runner.running))
        deadline = time.monotonic() + self._grace_s
        while (left_s := deadline - time.monotonic()) > 0:
            if self._runner.wait_until_idle(min(left_s, POLL_S)):
                break
            if self._leader is not None:
                self._step()
        running = self._runner.running
        logger.info("scheduler.stopped", still_running=sorted(running))
        return 1 if running else 0
