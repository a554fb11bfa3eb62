"""Claims a tick: one SQL statement decides whether this process may run it (docs/scheduler.md, R7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from healthcheck.templatetags.moments import moment_text
from tradingsite.jobs.models import QUARANTINE, JobState, SchedulerHeartbeat
from tradingsite.jobs.timetable import ScheduledJob

# `last_tick` only grows, so a tick is run once. There are two exceptions. A last tick far in the future, left
# by a clock that was ahead, is ignored; otherwise the job would not run until then. And the first tick of an
# `at_once` job may be claimed again by a later leader, as long as the job has never succeeded.
_CLAIM = """
UPDATE job_state SET
    last_tick = %(tick)s,
    claim_epoch = %(epoch)s,
    running_since = statement_timestamp(),
    last_started_at = statement_timestamp(),
    last_requested_by = CASE WHEN run_requested_at <= %(tick)s THEN run_requested_by ELSE '' END,
    run_requested_by = CASE WHEN run_requested_at <= %(tick)s THEN '' ELSE run_requested_by END,
    run_requested_at = CASE WHEN run_requested_at <= %(tick)s THEN NULL ELSE run_requested_at END,
    paused_at = CASE WHEN paused THEN clock_timestamp() ELSE paused_at END
WHERE job_name = %(name)s
  AND (last_tick IS NULL OR last_tick < %(tick)s
       OR (last_tick <> %(tick)s AND last_tick > greatest(%(tick)s, clock_timestamp()) + 2 * %(every)s)
       OR (%(at_once)s AND last_tick = %(tick)s AND last_success_at IS NULL AND claim_epoch < %(epoch)s))
  AND (NOT paused OR (%(always_tried)s AND starts_with(pause_reason, %(quarantine)s)
                      AND paused_at <= clock_timestamp() - interval '5 minutes'))
  AND EXISTS (SELECT FROM scheduler_heartbeat WHERE epoch = %(epoch)s)
RETURNING last_requested_by, paused
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """This process may run the tick.

    Attributes:
        requested_by: the operator who requested the run; "" for a scheduled one.
        on_trial: the job is quarantined, and this is a trial run.
    """

    requested_by: str = ""
    on_trial: bool = False


@dataclass(frozen=True, slots=True)
class NotClaimed:
    """Why this process may not run the tick; `paused` while the job is paused."""

    why: str
    paused: bool = False


def claim(job: ScheduledJob, tick: datetime, epoch: int) -> Claim | NotClaimed:
    """Claim `tick` for the leader of `epoch`, or return why not. A claim also removes a request to run.

    Raises:
        django.db.Error: the claim may or may not be stored, so nothing may be run.
    """
    facts: dict[str, Any] = {
        "name": job.name,
        "tick": tick,
        "epoch": epoch,
        "every": job.every,
        "at_once": job.at_once,
        "always_tried": job.always_tried,
        "quarantine": QUARANTINE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, facts)
        row = cursor.fetchone()
    return _why_not_claimed(job.name, tick, epoch) if row is None else Claim(*row)


def is_current(epoch: int) -> bool:
    """Return whether the leader of `epoch` still leads. Raises django.db.Error."""
    return SchedulerHeartbeat.objects.filter(epoch=epoch).exists()


def _why_not_claimed(name: str, tick: datetime, epoch: int) -> NotClaimed:
    """Find out why. The row may have changed since, so this text is for people only."""
    state = JobState.objects.filter(job_name=name).first()
    if state is None:
        return NotClaimed("the job has no row")
    if state.paused:
        requests = JobState.objects.filter(job_name=name, paused=True, run_requested_at__isnull=False)
        word = "quarantined" if state.quarantined else "paused"
        dropped = requests.update(run_requested_at=None, run_requested_by="")
        return NotClaimed(f"{word}: {state.why_paused}", paused=not dropped)
    if not is_current(epoch):
        return NotClaimed(f"another scheduler leads; epoch {epoch} is over")
    if state.last_tick is not None and state.last_tick >= tick:
        return NotClaimed(f"the tick of {moment_text(state.last_tick, 'exact')} UTC has been claimed")
    return NotClaimed("the claim found something else a moment ago")
