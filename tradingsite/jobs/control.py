"""Lets operators pause, resume and run a job (docs/scheduler.md, R18 and R25).

Each function only changes the row of the job and records who did it. The leader reads the row within a
second.
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
    """The job's present state forbids it. The text says why, in the reader's language."""


def pause(name: str, reason: str, by: str) -> None:
    """Pause a job until it is resumed. A run in progress continues; a quarantine gets no more trial runs.

    Raises:
        NotAllowed: it is paused already, or the reason is empty or longer than `LONGEST_REASON`.
    """
    reason = " ".join(reason.replace("\0", " ").split())
    if not reason:
        raise NotAllowed(_("Enter a reason; everybody who sees the job will read it."))
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
    """Let a paused job run again from its next tick, whoever paused it.

    Raises:
        NotAllowed: it is not paused.
    """
    with transaction.atomic():
        paused = _row(name).filter(paused=True)
        if not paused.update(paused=False, pause_reason="", paused_by="", paused_at=None):
            raise NotAllowed(_("%(job)s is not paused.") % {"job": name})
        _record(name, JobEvent.Kind.RESUMED, by)


def request_run(name: str, by: str) -> datetime:
    """Ask the leader to run a job once, now or after the run in progress; return the time of the request.

    Raises:
        NotAllowed: it is paused, or there is such a request already.
    """
    with transaction.atomic():
        free = _row(name).filter(paused=False, run_requested_at=None)
        if not free.update(run_requested_at=Now(), run_requested_by=by[:255]):
            raise NotAllowed(_refusal(_row(name).get()))
        _record(name, JobEvent.Kind.RUN_REQUESTED, by)
        (requested_at,) = (
            _row(name).filter(run_requested_at__isnull=False).values_list("run_requested_at", flat=True)
        )
        return cast("datetime", requested_at)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A requested run."""

    job_name: str
    tick: datetime
    """The tick of its claim: the time of the request, or now if a scheduled tick has been run since."""


def requested_runs(known: Collection[str]) -> list[RunRequest]:
    """Return the requested runs of the `known` jobs that have not begun. The claim removes the request."""
    requested_at = F("run_requested_at")
    tick = Case(When(last_tick__gte=requested_at, then=Now()), default=requested_at)
    rows = JobState.objects.filter(job_name__in=known, run_requested_at__isnull=False).annotate(tick=tick)
    return [RunRequest(name, at) for name, at in rows.values_list("job_name", "tick")]


def withdraw(name: str, requested_at: datetime) -> bool:
    """Take back the request made at `requested_at`; return False if its run has begun."""
    requests = JobState.objects.filter(job_name=name, run_requested_at=requested_at)
    return bool(requests.update(run_requested_at=None, run_requested_by=""))


def _refusal(state: JobState) -> str:
    facts = {"job": state.job_name, "why": state.why_paused, "who": state.run_requested_by}
    if state.paused:
        return _("%(job)s is paused: %(why)s. Resume it first.") % facts
    return _("A run of %(job)s has been requested already, by %(who)s.") % facts


def _row(name: str) -> QuerySet[JobState]:
    if name not in registered():
        raise NotAllowed(_("There is no job %(job)s.") % {"job": name})
    JobState.objects.register([name])
    return JobState.objects.filter(job_name=name)


def _record(name: str, kind: JobEvent.Kind, by: str, text: str = "") -> None:
    JobEvent.objects.create(job_name=name, kind=kind, by=by[:255], text=text)
