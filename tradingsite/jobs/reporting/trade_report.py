"""The output of `manage.py trade status`: trading state, halts, account, positions and open orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db.models import Max
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from healthcheck.templatetags.moments import iso, moment_text
from tradingsite.amounts import exact, won_with_decimals
from tradingsite.jobs.models import JobState
from tradingsite.jobs.reporting import trading_panel
from tradingsite.jobs.reporting.stop_losses import StopLosses
from tradingsite.orders.models import AccountReading, Order, SyncRound
from tradingsite.orders.panel import Today
from tradingsite.orders.panel import account as account_panel
from tradingsite.orders.portfolio.position_rows import PositionRow
from tradingsite.risk.models import Halt
from tradingsite.risk.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class Report:
    """Everything at one moment.

    Attributes:
        volatility_checked_at: when `check_volatility` last succeeded.
        synced_at: when our orders were last reconciled, by any job.
        reading: None if the account was never read.
    """

    at: datetime
    state: TradingState
    stop_losses: StopLosses
    markets: dict[str, TradingState]
    halts: list[Halt]
    volatility_checked_at: datetime | None
    synced_at: datetime | None
    positions: list[PositionRow]
    reading: AccountReading | None
    today: Today
    orders: list[Order]


def read_report() -> Report:
    """Read the report from our own database, without a request to the exchange.

    Raises:
        UnreadableConfig: a limit for the daily loss has no valid value.
    """
    trading, account = trading_panel.trading(), cast("dict[str, Any]", account_panel())
    return Report(
        at=timezone.now(),
        state=trading["state"],
        stop_losses=trading["stop_losses"],
        markets=trading["markets"],
        halts=trading["open"],
        volatility_checked_at=JobState.objects.last_success_at("check_volatility"),
        synced_at=SyncRound.objects.aggregate(newest=Max("at"))["newest"],
        positions=[row for row in account["rows"] if row.holding.volume],
        reading=account["reading"],
        today=account["today"],
        orders=list(Order.objects.active().order_by("created_at")),
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return it for programs: in English, with exact amounts as text."""
    with translation.override("en"):
        return {
            "at": iso(report.at),
            "state": report.state.name,
            "text": report.state.text,
            "stop_losses": {"text": report.stop_losses.text, "reasons": report.stop_losses.reasons},
            "markets": {
                market: {"state": state.name, "text": state.text} for market, state in report.markets.items()
            },
            "halts": [_halt(halt) for halt in report.halts],
            "volatility_checked_at": iso(report.volatility_checked_at),
            "synced_at": iso(report.synced_at),
            "account": _account(report.reading),
            "today": {
                "base": _amount(report.today.base),
                "result": _amount(report.today.result),
                "limit": _amount(report.today.limit),
            },
            "positions": [_position(row) for row in report.positions],
            "orders": [_order(order) for order in report.orders],
        }


def _halt(halt: Halt) -> dict[str, Any]:
    return {
        "id": halt.pk,
        "market": halt.market or None,
        "kind": halt.kind,
        "reason": halt.explanation(),
        "started_at": iso(halt.started_at),
        "until": iso(halt.until),
        "made_by": halt.made_by,
    }


def _account(reading: AccountReading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    return {
        "read_at": iso(reading.read_at),
        "equity": _amount(reading.equity),
        "krw_free": _amount(reading.krw_free),
        "krw_locked": _amount(reading.krw_locked),
    }


def _position(row: PositionRow) -> dict[str, Any]:
    price = row.window.price
    return {
        "market": row.holding.market,
        "volume": _amount(row.holding.volume),
        "cost": _amount(row.holding.cost),
        "price": _amount(price),
        "price_seen_at": iso(row.window.seen_at),
        "unrealised": None if price is None else _amount(row.holding.unrealised(price)),
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "identifier": order.identifier,
        "market": order.market,
        "side": order.side,
        "state": order.state,
        "created_at": iso(order.created_at),
    }


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else exact(amount)


def as_text(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield report.state.text
    if report.state.name != "active" or report.stop_losses.unguarded:
        yield report.stop_losses.text
    if len(report.markets) > 1:
        yield from _part(
            _("Markets"), [f"{market}: {state.text}" for market, state in report.markets.items()]
        )
    yield from _part(_("Halts"), map(_halt_line, report.halts))
    yield from _part(_("Jobs"), _age_lines(report))
    yield from _part(_("Account"), _account_lines(report))
    yield from _part(_("Positions"), map(_position_line, report.positions))
    yield from _part(_("Open orders"), map(_order_line, report.orders))


def _part(title: str, lines: Any) -> Iterator[str]:
    shown = [f"  {line}" for line in lines]
    yield from ("", title, *(shown or ["  " + _("none")]))


def _halt_line(halt: Halt) -> str:
    facts = {
        "market": halt.market or _("all markets"),
        "reason": halt.explanation(),
        "since": moment_text(halt.started_at),
        "who": halt.made_by,
    }
    return _("%(market)s: %(reason)s (since %(since)s UTC, by %(who)s)") % facts


def _age_lines(report: Report) -> Iterator[str]:
    # Every job that reconciles counts for the second; it has the name of the one made for it.
    for job, last in (
        ("check_volatility", report.volatility_checked_at),
        ("sync_pending_orders", report.synced_at),
    ):
        text = "-"
        if last is not None:
            age = _("(%(age_s)d s ago)") % {"age_s": (report.at - last).total_seconds()}
            text = f"{moment_text(last)} UTC {age}"
        yield f"{job}: {_('last success at')} {text}"


def _account_lines(report: Report) -> Iterator[str]:
    reading, today = report.reading, report.today
    if reading is not None:
        facts = {
            "equity": "-" if reading.equity is None else won_with_decimals(reading.equity),
            "free": won_with_decimals(reading.krw_free),
            "locked": won_with_decimals(reading.krw_locked),
            "at": moment_text(reading.read_at),
        }
        text = _("equity %(equity)s KRW, free %(free)s KRW, locked %(locked)s KRW (read at %(at)s UTC)")
        yield text % facts
    if today.result is not None:
        facts = {"result": today.shown_result, "pct": today.result_pct, "limit": today.shown_limit}
        yield _("result today %(result)s KRW (%(pct)s %%), limit %(limit)s KRW") % facts


def _position_line(row: PositionRow) -> str:
    facts = {
        "market": row.holding.market,
        "volume": row.volume,
        "average": row.average_price,
        "price": row.price or "-",
        "unrealised": row.unrealised or "-",
    }
    text = _("%(market)s: %(volume)s at %(average)s, last price %(price)s, unrealised %(unrealised)s KRW")
    return " ".join(filter(None, [text % facts, row.note and f"({row.note})"]))


def _order_line(order: Order) -> str:
    facts = {
        "market": order.market,
        "side": order.get_side_display(),
        "state": order.get_state_display(),
        "since": moment_text(order.created_at),
        "name": order.identifier,
    }
    return _("%(market)s: %(side)s, %(state)s since %(since)s UTC (%(name)s)") % facts
