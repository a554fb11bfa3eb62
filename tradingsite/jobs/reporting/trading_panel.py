"""The trading panel: whether the trader buys and sells, for the status page and `manage.py trade`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from sysconfig.registry import UnreadableConfig
from tradingsite.jobs.reporting.status import read
from tradingsite.jobs.reporting.stop_losses import stop_losses, unchecked
from tradingsite.orders.panel import today
from tradingsite.orders.portfolio.position_rows import PositionRow, position_rows
from tradingsite.risk.panel import halts
from tradingsite.risk.trading_state import states


def trading() -> dict[str, Any]:
    """Return the context of `status/trading.html`: states, stop-losses and halts, in 14 queries."""
    at, scheduler = timezone.now(), read()
    rows = position_rows(at)["rows"]
    found = states(others=[*unchecked(scheduler), *_daily_loss(rows, at)])
    held = [row.window for row in rows if row.holding.volume]
    return {"state": found.pop(""), "markets": found, "stop_losses": stop_losses(scheduler, held), **halts()}


def what_stops_buys(at: datetime) -> Iterator[Finding]:
    """Yield what stops new buys apart from halts and settings."""
    yield from unchecked(read())
    yield from _daily_loss(position_rows(at)["rows"], at)


def _daily_loss(rows: list[PositionRow], at: datetime) -> Iterator[Finding]:
    try:
        day = today(rows, at)
    except UnreadableConfig:  # `states` reports it as a halt
        return
    if day.reached:
        text = gettext_noop("the day's result is %(result)s KRW, limit %(limit)s KRW")
        yield Finding("warning", text, result=day.shown_result, limit=day.shown_limit)
