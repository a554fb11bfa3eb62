"""Decides when automatic halts begin and end, from one price window, without queries (docs/risk.md V2-V7)."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import translation

from tradingsite.marketdata.windows import SPAN, Window
from tradingsite.risk.models import Halt

KINDS = (Halt.Kind.VOLATILITY, Halt.Kind.UNKNOWN)
"""The automatic halts, handled here; operators' halts are not touched."""
CHANGED_FIELDS = (
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
CALM_RATIO = Decimal("0.6")
"""A market is calm below this share of the threshold. With 1, a market near its limit would flap."""
MADE_BY = "check_volatility"


def update_volatility_halt(
    halt: Halt | None, window: Window, threshold_pct: Decimal, cooldown: timedelta
) -> Halt | None:
    """Return the market's volatility halt after this window: new, continued or ended; None if there is none.

    A few prices are enough to prove a move, but only a complete window proves that the market is calm.
    """
    move_pct = window.move_pct
    if halt is None:
        if move_pct is None or move_pct < threshold_pct:
            return None
        halt = _begin(Halt.Kind.VOLATILITY, window)
    if move_pct is not None and (halt.move_pct is None or move_pct > halt.move_pct):
        halt.move_pct, halt.low, halt.high = round(move_pct, 4), window.low, window.high
        halt.threshold_pct = threshold_pct
    is_continuous = halt.checked_at is None or window.at - halt.checked_at <= SPAN
    calm = window.known and move_pct is not None and move_pct < CALM_RATIO * threshold_pct
    if not (is_continuous and calm):
        halt.until = window.at + cooldown
    elif halt.until is not None and window.at >= halt.until:
        end(halt, window.at)
    return _checked(halt, window)


def update_unknown_halt(halt: Halt | None, window: Window) -> Halt | None:
    """Return the market's halt for missing prices after this window: new, continued or ended, or None."""
    if window.known:
        if halt is not None:
            end(halt, window.at)
        return halt
    halt = halt or _begin(Halt.Kind.UNKNOWN, window)
    halt.polls, halt.seen_age_s = window.polls, window.seen_age_s
    return _checked(halt, window)


def update_removed_market(halt: Halt, at: datetime) -> None:
    """End a halt whose market is no longer configured when its time is over, calm or not."""
    if halt.until is None or at >= halt.until:
        end(halt, at)


def end(halt: Halt, at: datetime) -> None:
    """Mark an automatic halt as ended, without saving it."""
    halt.ended_at, halt.ended_by = at, MADE_BY


def _begin(kind: Halt.Kind, window: Window) -> Halt:
    return Halt(market=window.market, kind=kind, started_at=window.at, made_by=MADE_BY)


def _checked(halt: Halt, window: Window) -> Halt:
    halt.checked_at = window.at
    with translation.override("en"):  # the stored text is for logs; pages translate it themselves
        halt.reason = halt.explanation()
    return halt
