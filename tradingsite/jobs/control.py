"""What people may do to a job: pause it, resume it, have it run now (docs/scheduler.md R18).

Each sets columns of the job's row and writes who it was; the leader sees it within a second.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from tradingsite.jobs.models import BY_HAND, QUARANTINE, JobEvent, JobState
from tradingsite.jobs.timetable import registered

LONGEST_REASON = 400
_NOT_PAUSED_BY_HAND = Q(paused=False) | Q(pause_reason__startswith=QUARANTINE)


class NotAllowed(Exception):
    """It can't be done in the job's present state; the text says why, in the reader's language."""


def pause(name: str, reason: str, by: str) -> None:
    """Let a job run no more until it is resumed; a run that goes on goes on. Also ends its trial runs.

    Raises:
        NotAllowed: it is paused already, or the reason is empty or longer than `LONGEST_REASON`.
    """
    reason = " ".join(reason.replace("\0", " ").split())
    if not reason:
        raise NotAllowed(_("Say why, for all who will see it."))
    if len(reason) > LONGEST_REASON:
        raise NotAllowed(_("The reason has %(n)s characters, limit 400.") % {"n": len(reason)})
    with transaction.atomic():
        found = _row(name).filter(_NOT_PAUSED_BY_HAND).update(
            paused=True,
            pause_reason=f"{BY_HAND} {reason}",
            paused_by=by[:255],
            paused_at=Now(),
            run_requested_at=None,
            run_requested_by="",
        )  # fmt: skip
        if not found:
            why = _row(name).get().why_paused
            raise NotAllowed(_("%(job)s is paused already: %(why)s") % {"job": name, "why": why})
        _record(name, JobEvent.Kind.PAUSED, by, reason)


def resume(name: str, by: str) -> None:
    """Let a paused job run again from its next tick on, whoever paused it.

    Raises:
        NotAllowed: it is not paused.
    """
    with transaction.atomic():
        paused = _row(name).filter(paused=True)
        if not paused.update(paused=False, pause_reason="", paused_by="", paused_at=None):
            raise NotAllowed(_("%(job)s is not paused.") % {"job": name})
        _record(name, JobEvent.Kind.RESUMED, by)


def request_run(name: str, by: str) -> datetime:
    """Ask the leader to run a job once, now or after the run that goes on; return when that was asked.

    Raises:
        NotAllowed: it is paused, or such a run is asked for already.
    """
    with transaction.atomic():
        free = _row(name).filter(paused=False, run_requested_at=None)
        if not free.update(run_requested_at=Now(), run_requested_by=by[:255]):
            raise NotAllowed(_why_not(_row(name).get()))
        _record(name, JobEvent.Kind.RUN_REQUESTED, by)
        (asked_at,) = (
            _row(name).filter(run_requested_at__isnull=False).values_list("run_requested_at", flat=True)
        )
        return cast("datetime", asked_at)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that somebody has requested."""

    job_name: str
    tick: datetime
    """What it is claimed as: when it was requested, or now if a tick of the timetable has been run since."""


def requested_runs(known: Collection[str]) -> list[RunRequest]:
    """Return the requested runs of the `known` jobs that have not begun; a claim takes the request away."""
    requested_at = F("run_requested_at")
    tick = Case(When(last_tick__gte=requested_at, then=Now()), default=requested_at)
    rows = JobState.objects.filter(job_name__in=known, run_requested_at__isnull=False).annotate(tick=tick)
    return [RunRequest(name, at) for name, at in rows.values_list("job_name", "tick")]


def withdraw(name: str, asked_at: datetime) -> bool:
    """Take back the request made at `asked_at`; False when it was begun meanwhile."""
    asked = JobState.objects.filter(job_name=name, run_requested_at=asked_at)
    return bool(asked.update(run_requested_at=None, run_requested_by=""))


def _why_not(state: JobState) -> str:
    facts = {"job": state.job_name, "why": state.why_paused, "who": state.run_requested_by}
    if state.paused:
        return _("%(job)s is paused: %(why)s. Resume it first.") % facts
    return _("A run of %(job)s is asked for already, by %(who)s.") % facts


def _row(name: str) -> QuerySet[JobState]:
    if name not in registered():
        raise NotAllowed(_("There is no job %(job)s.") % {"job": name})
    JobState.objects.register([name])
    return JobState.objects.filter(job_name=name)


def _record(name: str, kind: JobEvent.Kind, by: str, text: str = "") -> None:
    JobEvent.objects.create(job_name=name, kind=kind, by=by[:255], text=text)
