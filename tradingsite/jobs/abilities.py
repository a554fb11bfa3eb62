"""The trader's abilities on the status page: read prices, decide, place orders, run on time.

See docs/health.md, rule 20.
"""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from healthcheck.templatetags.moments import moment_text
from tradingsite.jobs.reporting.status import JobStatus, read, read_job
from tradingsite.jobs.reporting.trading_panel import what_stops_buys
from tradingsite.risk.models import Halt
from tradingsite.risk.trading_state import StopCause, states

PRICE_LIMIT = timedelta(seconds=30)
"""The risk gate buys at no older price."""
_TRADING_JOBS = {"collect_market_data", "generate_trading_signal", "check_volatility", "sync_pending_orders"}


def read_prices() -> Finding:
    """Return whether the last prices are new enough for a buy."""
    job = read_job("collect_market_data")
    if paused := _paused(job):
        return paused
    age = job.success_age
    if age is None:
        return Finding("warning", gettext_noop("no price has been collected yet"))
    if age > PRICE_LIMIT:
        text = gettext_noop("the last prices are %(age)s s old, limit %(limit)s s")
        return Finding("warning", text, age=round(age.total_seconds()), limit=PRICE_LIMIT.seconds)
    text = gettext_noop("prices are %(age)s s old")
    return Finding("healthy", text, age=max(0, round(age.total_seconds())))


def decide() -> Finding:
    """Return whether the job that asks the model is enabled."""
    job = read_job("generate_trading_signal")
    return _paused(job) or Finding("healthy", gettext_noop("the model is called"))


def place_orders() -> Finding:
    """Return whether buys are allowed; sells and stop-losses always are.

    A failure is reported before a pause.
    """
    found = states()[""]
    causes = [*map(_finding_of, (*found.halted, *found.paused)), *what_stops_buys(timezone.now())]
    if not causes:
        return Finding("healthy", gettext_noop("buying and selling"))
    return next((cause for cause in causes if not cause.paused), causes[0])


def next_runs() -> Finding:
    """Return which run is next, or which trading jobs an operator has paused."""
    status = read()
    paused = [each.job.name for each in status.jobs if each.state is JobStatus.State.PAUSED]
    if trading := [name for name in paused if name in _TRADING_JOBS]:
        return Finding.pause(gettext_noop("paused: %(jobs)s"), jobs=", ".join(trading))
    upcoming = [(each.next_run_at, each.job.name) for each in status.jobs if each.next_run_at]
    if not upcoming:
        return Finding("warning", gettext_noop("no run is planned: no scheduler has led yet"))
    at, name = min(upcoming)
    return Finding(
        "healthy", gettext_noop("next: %(job)s at %(at)s UTC"), job=name, at=moment_text(at, "time")
    )


def _paused(status: JobStatus) -> Finding | None:
    if status.state is JobStatus.State.QUARANTINED:  # a quarantine is not a pause on purpose
        return Finding("warning", gettext_noop("%(job)s is quarantined"), job=status.job.name)
    if status.state is not JobStatus.State.PAUSED or status.row is None:
        return None
    text = gettext_noop("%(job)s is paused by %(who)s: %(why)s")
    return Finding.pause(text, job=status.job.name, who=status.row.paused_by, why=status.why_paused)


def _finding_of(cause: StopCause) -> Finding:
    """Convert a cause to a finding. An unreadable limit or an unknown market is no pause on purpose."""
    if isinstance(cause, Finding):
        return cause if cause.status == "unhealthy" else Finding.pause(cause.message, **cause.params)
    if cause.kind == Halt.Kind.OPERATOR:
        return Finding.pause(
            gettext_noop("halted by %(who)s: %(reason)s"), who=cause.made_by, reason=cause.reason
        )
    if cause.kind == Halt.Kind.UNKNOWN:
        text = gettext_noop("too few prices of %(market)s are known: no buys there")
        return Finding("warning", text, market=cause.market)
    return Finding.pause(
        gettext_noop("%(market)s moved too much: no buys until it is calm"), market=cause.market
    )
