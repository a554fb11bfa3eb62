"""When a change of state is one: not at the first bad answer, nor at the first good (docs/health.md, 16)."""

from datetime import datetime

from healthcheck.report import Status
from healthcheck.snapshot import Component

BAD_IN_A_ROW = 3
GOOD_IN_A_ROW = 2


class Damper:
    """One component's state as transitions tell it.

    Attributes:
        status: None until enough was seen.
        seen_at: when the last answer that counted was measured; None before the first.
    """

    def __init__(self, status: Status | None = None) -> None:
        self.status = status
        self.seen_at: datetime | None = None
        self._against = 0
        self._candidate = status

    def feed(self, component: Component) -> bool:
        """Take in what was found; return whether the state has changed by it.

        The same measurement counts once, and what could not be judged counts as nothing. The first healthy
        answer of all is no change; the first state of all that is not healthy is one, from healthy.
        """
        if component.measured_at == self.seen_at or not component.judged:
            return False
        self.seen_at = component.measured_at
        found = component.status
        if self.status is None and found == "healthy":
            self.status = found
        if found == self.status:
            self._against, self._candidate = 0, found
            return False
        # From healthy on every bad answer counts, whichever it is; between two bad states only the same one.
        goes_on = self._against and (self._candidate == found or self.status in (None, "healthy"))
        self._against, self._candidate = (self._against + 1 if goes_on else 1), found
        if self._against < (GOOD_IN_A_ROW if found == "healthy" else BAD_IN_A_ROW):
            return False
        self.status, self._against = found, 0
        return True

    @property
    def is_flapping(self) -> bool:
        """Whether the last answer was not that of the state."""
        return self._against > 0
