"""The result of one run of a job: outcome, counts, error, duration."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils.translation import gettext_lazy as _

OUTCOME_WORDS = {
    "ok": _("succeeded"),
    "failed": _("failed"),
    "skipped": _("skipped"),
    "aborted": _("aborted"),
}
SKIPPED, REFUSED, ABORTED = "skipped", "refused", "aborted"
"""First word of an error for a run that did not start, or did not end."""


@dataclass(frozen=True, slots=True)
class RunResult:
    job_name: str
    tick: datetime | None
    """The scheduled instant of this run; None for a run by hand."""
    duration_ms: float
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    """Short, on one line and without secrets; None when the run succeeded."""
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_monotonic_s: float = field(default_factory=time.monotonic)
    attempts: int = 1
    lateness_ms: float | None = None
    """From the tick to the start of the run; None if it did not start, or has no tick."""
    epoch: int = 0
    """Of the leader that claimed the run; 0 for a run by hand."""

    @property
    def success(self) -> bool:
        return self.error is None

    @property
    def outcome(self) -> str:
        return outcome_of(self.error)


def outcome_of(error: str | None) -> str:
    """Return "ok", "failed", "skipped" (not started) or "aborted" (not ended by its own process)."""
    if error is None:
        return "ok"
    first_word = error.partition(":")[0]
    if first_word in {SKIPPED, REFUSED}:
        return "skipped"
    return "aborted" if first_word == ABORTED else "failed"
