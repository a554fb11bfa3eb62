"""Whether a stop-loss is sold now, by what `check_volatility` needs to sell one (docs/risk.md V17)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tradingsite.jobs.reporting.status import JobStatus, SchedulerStatus
from tradingsite.marketdata.windows import Window, read_windows, unknown_reason
from tradingsite.orders.execution.stop_loss import is_fresh
from tradingsite.orders.portfolio.positions import positions
from tradingsite.risk.gate import CHECKED_LIMIT
from tradingsite.trading_config import STOP_LOSS_PCT

_WORKS_IN = {JobStatus.State.FAILED, JobStatus.State.RUNNING, JobStatus.State.OK, JobStatus.State.NEVER_RAN}
"""States that say nothing against a job; how long ago a check succeeded is looked at all the same."""


@dataclass(frozen=True, slots=True)
class StopLosses:
    """The facts of one moment.

    Attributes:
        scheduler: by the database's clock.
        held: what is known of the price of each market in which something is held.
        limit_readable: whether `stop_loss_pct` is; there is no fallback for it.
    """

    scheduler: SchedulerStatus
    held: tuple[Window, ...]
    limit_readable: bool

    @property
    def text(self) -> str:
        """Return the sentence for people, in the active language."""
        why = "; ".join(self.reasons)
        if not self.held:
            nothing = _("Nothing is held: there is nothing for a stop-loss to sell.")
            none = _("None would be sold: %(why)s") % {"why": why}
            return f"{nothing} {none}" if why else nothing
        if why:
            return _("No stop-loss is sold now: %(why)s") % {"why": why}
        if self.scheduler.job("generate_trading_signal").state not in _WORKS_IN:
            return _("Stop-losses go on.")  # but no signal may be made that could sell
        return _("Sells and stop-losses go on.")

    @property
    def unguarded(self) -> bool:
        """Return whether something is held that no stop-loss would sell."""
        return bool(self.held and self.reasons)

    @property
    def reasons(self) -> list[str]:
        """Return all that keeps a stop-loss from being sold, in the active language."""
        return [*self._of_the_scheduler(), *self._of_the_job(), *self._of_what_is_held()]

    def _of_the_scheduler(self) -> Iterator[str]:
        if not self.scheduler.alive:
            yield _("no scheduler leads")
        elif self.scheduler.stuck:
            yield _("the scheduler's loop does not come round")

    def _of_the_job(self) -> Iterator[str]:
        check = self.scheduler.job("check_volatility")
        if check.state not in _WORKS_IN:
            why = f" ({check.why_paused})" if check.why_paused else ""
            yield _("check_volatility: %(state)s") % {"state": f"{check.state.label}{why}"}
        yield from (finding.text() for finding in unchecked(self.scheduler))

    def _of_what_is_held(self) -> Iterator[str]:
        if not self.limit_readable:
            yield _("%(key)s cannot be read") % {"key": STOP_LOSS_PCT.name}
        for window in self.held:
            if not is_fresh(window):
                facts = {"market": window.market, "why": unknown_reason(window.polls, window.seen_age_s)}
                yield _("no price of %(market)s: %(why)s") % facts


def unchecked(scheduler: SchedulerStatus) -> Iterator[Finding]:
    """Yield a finding when `check_volatility` has not succeeded within `CHECKED_LIMIT`."""
    age = scheduler.job("check_volatility").success_age
    if age is None:
        yield Finding("warning", gettext_noop("check_volatility has never succeeded"))
    elif age > CHECKED_LIMIT:
        text = gettext_noop("check_volatility last succeeded %(age)s s ago, limit %(limit)s s")
        yield Finding("warning", text, age=round(age.total_seconds()), limit=CHECKED_LIMIT.seconds)


def stop_losses(scheduler: SchedulerStatus, held: Iterable[Window] | None = None) -> StopLosses:
    """Judge by the database alone; `held` spares two queries where it is known already."""
    if held is None:
        markets = [each.market for each in positions(scheduler.now) if each.volume]
        held = read_windows(markets, scheduler.now)
    return StopLosses(scheduler, tuple(held), _limit_readable())


def _limit_readable() -> bool:
    try:
        SystemConfig.objects.snapshot()[STOP_LOSS_PCT]  # read as the job reads it
    except UnreadableConfig:
        return False
    return True
