"""When a halt of the program begins, lasts and ends: decided from one window, without a query (V2 to V7)."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import translation

from tradingsite.marketdata.windows import SPAN, Window
from tradingsite.risk.models import Halt

KINDS = (Halt.Kind.VOLATILITY, Halt.Kind.UNKNOWN)
"""The halts that are begun and ended here; all others are left alone."""
CHANGING = (
    "reason",
    "until",
    "checked_at",
    "ended_at",
    "ended_by",
    "move_pct",
    "threshold_pct",
    "low",
    "high",
    "polls",
    "seen_age_s",
)
CALM_SHARE = Decimal("0.6")
"""Of the threshold: a market is calm below it. With 1 a market near its limit would flap."""
MADE_BY = "check_volatility"


def after_move(halt: Halt | None, window: Window, threshold_pct: Decimal, cooldown: timedelta) -> Halt | None:
    """Return the market's volatility halt after this window: begun, kept or ended. None: there is none.

    The prices seen prove a move also when too few were seen; they never prove calm then.
    """
    move_pct = window.move_pct
    if halt is None:
        if move_pct is None or move_pct < threshold_pct:
            return None
        halt = _begin(Halt.Kind.VOLATILITY, window)
    if move_pct is not None and (halt.move_pct is None or move_pct > halt.move_pct):
        halt.move_pct, halt.low, halt.high = round(move_pct, 4), window.low, window.high
        halt.threshold_pct = threshold_pct
    watched = halt.checked_at is None or window.at - halt.checked_at <= SPAN
    calm = window.known and move_pct is not None and move_pct < CALM_SHARE * threshold_pct
    if not (watched and calm):
        halt.until = window.at + cooldown
    elif halt.until is not None and window.at >= halt.until:
        end(halt, window.at)
    return _checked(halt, window)


def after_look(halt: Halt | None, window: Window) -> Halt | None:
    """Return the market's halt for being unknown after this window, as above."""
    if window.known:
        if halt is not None:
            end(halt, window.at)
        return halt
    halt = halt or _begin(Halt.Kind.UNKNOWN, window)
    halt.polls, halt.seen_age_s = window.polls, window.seen_age_s
    return _checked(halt, window)


def after_removal(halt: Halt, at: datetime) -> None:
    """Judge a halt whose market is no longer configured: it ends when it would have, calm or not."""
    if halt.until is None or at >= halt.until:
        end(halt, at)


def end(halt: Halt, at: datetime) -> None:
    """End a halt of the program, unsaved."""
    halt.ended_at, halt.ended_by = at, MADE_BY


def _begin(kind: Halt.Kind, window: Window) -> Halt:
    return Halt(market=window.market, kind=kind, started_at=window.at, made_by=MADE_BY)


def _checked(halt: Halt, window: Window) -> Halt:
    halt.checked_at = window.at
    with translation.override("en"):  # what is stored is for logs and for reports in any language
        halt.reason = halt.explanation()
    return halt
