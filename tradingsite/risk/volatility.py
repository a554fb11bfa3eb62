"""Halt new buys of a market that moves too fast, or of which too little is known (V2 to V7)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import structlog
from django.db import connection, transaction

from sysconfig.snapshot import ConfigSnapshot
from tradingsite import trading_config
from tradingsite.marketdata.windows import Window, read_windows
from tradingsite.risk import halt_rules
from tradingsite.risk.models import Halt

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VolatilityLimits:
    markets: tuple[str, ...]
    threshold_pct: Decimal
    cooldown: timedelta

    @classmethod
    def of(cls, config: ConfigSnapshot) -> "VolatilityLimits":
        """Read the limits.

        Raises:
            UnreadableConfig: a limit has no valid value; there is no fallback.
        """
        return cls(
            markets=config[trading_config.MARKETS],
            threshold_pct=config[trading_config.VOLATILITY_THRESHOLD_PCT],
            cooldown=timedelta(minutes=config[trading_config.VOLATILITY_COOLDOWN_MIN]),
        )


def check(config: ConfigSnapshot, at: datetime) -> Mapping[str, int]:
    """Begin, keep and end the halts of all configured markets by the prices in force until `at`.

    Counts: `markets` configured; halts `begun` and `ended`; those open after it, `volatile` and `unknown`.
    """
    return check_limits(VolatilityLimits.of(config), at)


def check_limits(limits: VolatilityLimits, at: datetime) -> Mapping[str, int]:
    """Do what `check` does, with the limits as plain values."""
    with transaction.atomic():
        _wait_for_other_checks()
        halts = list(Halt.objects.open().filter(kind__in=halt_rules.KINDS).select_for_update())
        # A delayed check must not undo what a later one found.
        later = {halt.market for halt in halts if halt.checked_at and halt.checked_at > at}
        current = [halt for halt in halts if halt.market not in later]
        begun = _judge([market for market in limits.markets if market not in later], current, limits, at)
        for halt in current:
            if halt.market not in limits.markets:
                halt_rules.after_removal(halt, at)
        Halt.objects.bulk_update(current, halt_rules.CHANGING)
        Halt.objects.bulk_create(begun)
    ended = [halt for halt in current if halt.ended_at]
    _tell("halt.begun", begun)
    _tell("halt.ended", ended)
    still = [halt.kind for halt in [*halts, *begun] if halt.ended_at is None]
    return {
        "markets": len(limits.markets),
        "begun": len(begun),
        "ended": len(ended),
        "volatile": still.count(Halt.Kind.VOLATILITY),
        "unknown": still.count(Halt.Kind.UNKNOWN),
    }


def _judge(markets: list[str], halts: list[Halt], limits: VolatilityLimits, at: datetime) -> list[Halt]:
    """Change `halts` as the markets' windows say; return those that begin, unsaved."""
    judges: Mapping[str, Callable[[Halt | None, Window], Halt | None]] = {
        Halt.Kind.VOLATILITY: partial(
            halt_rules.after_move, threshold_pct=limits.threshold_pct, cooldown=limits.cooldown
        ),
        Halt.Kind.UNKNOWN: halt_rules.after_look,
    }
    known = {(halt.market, halt.kind): halt for halt in halts}
    begun = []
    for window in read_windows(markets, at):
        for kind, judge in judges.items():
            before = known.get((window.market, kind))
            after = judge(before, window)
            if before is None and after is not None:
                begun.append(after)
    return begun


def _wait_for_other_checks() -> None:
    # Two checks that both see no halt would both make one. The lock ends with the transaction.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('risk.volatility.check', 0))")


def _tell(event: str, halts: Iterable[Halt]) -> None:
    for halt in halts:
        logger.warning(event, market=halt.market, kind=str(halt.kind), reason=halt.reason)
