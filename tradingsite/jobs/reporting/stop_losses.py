"""Answers whether stop-losses would be sold now, for the trading panel and `manage.py trade`.

See docs/risk.md, V17.
"""

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
"""States in which a job works. How long ago it last succeeded is checked separately."""


@dataclass(frozen=True, slots=True)
class StopLosses:
    """The values at one moment.

    Attributes:
        scheduler: the state of scheduler and jobs.
        held: the recent prices of each market with a position.
        limit_readable: whether `stop_loss_pct` can be read; there is no default for it.
    """

    scheduler: SchedulerStatus
    held: tuple[Window, ...]
    limit_readable: bool

    @property
    def text(self) -> str:
        """The sentence for people, in the active language."""
        why = "; ".join(self.reasons)
        if not self.held:
            nothing = _("There is no position that a stop-loss could sell.")
            none = _("None would be sold: %(why)s") % {"why": why}
            return f"{nothing} {none}" if why else nothing
        if why:
            return _("No stop-loss is sold now: %(why)s") % {"why": why}
        if self.scheduler.job("generate_trading_signal").state not in _WORKS_IN:
            return _("Stop-losses go on.")  # but no signals, which could sell as well
        return _("Sells and stop-losses go on.")

    @property
    def unguarded(self) -> bool:
        """Whether there is a position that no stop-loss would sell."""
        return bool(self.held and self.reasons)

    @property
    def reasons(self) -> list[str]:
        """All reasons that prevent a stop-loss, in the active language."""
        return [*self._scheduler_reasons(), *self._job_reasons(), *self._position_reasons()]

    def _scheduler_reasons(self) -> Iterator[str]:
        if not self.scheduler.alive:
            yield _("no scheduler leads")
        elif self.scheduler.stuck:
            yield _("the scheduler's loop is stuck")

    def _job_reasons(self) -> Iterator[str]:
        check = self.scheduler.job("check_volatility")
        if check.state not in _WORKS_IN:
            why = f" ({check.why_paused})" if check.why_paused else ""
            yield _("check_volatility: %(state)s") % {"state": f"{check.state.label}{why}"}
        yield from (finding.text() for finding in unchecked(self.scheduler))

    def _position_reasons(self) -> Iterator[str]:
        if not self.limit_readable:
            yield _("%(key)s cannot be read") % {"key": STOP_LOSS_PCT.name}
        for window in self.held:
            if not is_fresh(window):
                facts = {"market": window.market, "why": unknown_reason(window.polls, window.seen_age_s)}
                yield _("no price of %(market)s: %(why)s") % facts


def unchecked(scheduler: SchedulerStatus) -> Iterator[Finding]:
    """Yield a finding if `check_volatility` has not succeeded within `CHECKED_LIMIT`."""
    age = scheduler.job("check_volatility").success_age
    if age is None:
        yield Finding("warning", gettext_noop("check_volatility has never succeeded"))
    elif age > CHECKED_LIMIT:
        text = gettext_noop("check_volatility last succeeded %(age)s s ago, limit %(limit)s s")
        yield Finding("warning", text, age=round(age.total_seconds()), limit=CHECKED_LIMIT.seconds)


def stop_losses(scheduler: SchedulerStatus, held: Iterable[Window] | None = None) -> StopLosses:
    """Judge from the database alone; a caller that has `held` already saves two queries."""
    if held is None:
        markets = [each.market for each in positions(scheduler.now) if each.volume]
        held = read_windows(markets, scheduler.now)
    return StopLosses(scheduler, tuple(held), _limit_readable())


def _limit_readable() -> bool:
    try:
        SystemConfig.objects.snapshot()[STOP_LOSS_PCT]  # as the job itself reads it
    except UnreadableConfig:
        return False
    return True
