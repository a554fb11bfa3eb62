"""How one run ended."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of one job, over."""

    job_name: str
    tick: datetime | None
    """The instant of the grid this run was for; None for a run by hand."""
    duration_ms: float
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    """Short, on one line and without secrets; None when the run succeeded."""
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_monotonic_s: float = field(default_factory=time.monotonic)

    @property
    def success(self) -> bool:
        return self.error is None
