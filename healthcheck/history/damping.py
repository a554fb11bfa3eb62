"""Decides when a new status counts as a change: after three bad results in a row, or two good ones.

See docs/health.md, rule 16.
"""

from datetime import datetime

from healthcheck.report import Status
from healthcheck.snapshot import Component

BAD_IN_A_ROW = 3
GOOD_IN_A_ROW = 2


class Damper:
    """The damped status of one component.

    Attributes:
        status: None until there were enough results.
        seen_at: when the last result that counted was measured; None before the first.
    """

    def __init__(self, status: Status | None = None) -> None:
        self.status = status
        self.seen_at: datetime | None = None
        self._against = 0
        self._candidate = status

    def feed(self, component: Component) -> bool:
        """Count one result; return whether it completes a change of status.

        A measurement counts once, and one that could not be judged does not count. A component that starts
        healthy has not changed; one that starts otherwise has changed from healthy.
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
        # Leaving healthy, warnings and failures add up. Between two bad states only equal results do.
        goes_on = self._against and (self._candidate == found or self.status in (None, "healthy"))
        self._against, self._candidate = (self._against + 1 if goes_on else 1), found
        if self._against < (GOOD_IN_A_ROW if found == "healthy" else BAD_IN_A_ROW):
            return False
        self.status, self._against = found, 0
        return True

    @property
    def is_flapping(self) -> bool:
        """Whether the last result contradicts the damped status."""
        return self._against > 0
