"""Halts new buys in markets that move too fast or lack prices, for the job `check_volatility`.

Rules: docs/risk.md V2-V7.
"""

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
    def from_config(cls, config: ConfigSnapshot) -> "VolatilityLimits":
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
    """Begin, continue and end the halts of all configured markets by the prices until `at`.

    Returns counts: `markets` configured; halts `begun` and `ended`; halts open afterwards, `volatile` and
    `unknown`.
    """
    return check_limits(VolatilityLimits.from_config(config), at)


def check_limits(limits: VolatilityLimits, at: datetime) -> Mapping[str, int]:
    """Do the same with the limits as plain values."""
    with transaction.atomic():
        _wait_for_other_checks()
        halts = list(Halt.objects.open().filter(kind__in=halt_rules.KINDS).select_for_update())
        # A delayed check must not overwrite the result of a later one.
        later = {halt.market for halt in halts if halt.checked_at and halt.checked_at > at}
        current = [halt for halt in halts if halt.market not in later]
        new_halts = _apply_rules(
            [market for market in limits.markets if market not in later], current, limits, at
        )
        for halt in current:
            if halt.market not in limits.markets:
                halt_rules.update_removed_market(halt, at)
        Halt.objects.bulk_update(current, halt_rules.CHANGED_FIELDS)
        Halt.objects.bulk_create(new_halts)
    ended = [halt for halt in current if halt.ended_at]
    _log_each("halt.begun", new_halts)
    _log_each("halt.ended", ended)
    open_kinds = [halt.kind for halt in [*halts, *new_halts] if halt.ended_at is None]
    return {
        "markets": len(limits.markets),
        "begun": len(new_halts),
        "ended": len(ended),
        "volatile": open_kinds.count(Halt.Kind.VOLATILITY),
        "unknown": open_kinds.count(Halt.Kind.UNKNOWN),
    }


def _apply_rules(markets: list[str], halts: list[Halt], limits: VolatilityLimits, at: datetime) -> list[Halt]:
    """Update `halts` by the markets' windows; return new ones, unsaved."""
    judges: Mapping[str, Callable[[Halt | None, Window], Halt | None]] = {
        Halt.Kind.VOLATILITY: partial(
            halt_rules.update_volatility_halt, threshold_pct=limits.threshold_pct, cooldown=limits.cooldown
        ),
        Halt.Kind.UNKNOWN: halt_rules.update_unknown_halt,
    }
    known = {(halt.market, halt.kind): halt for halt in halts}
    new_halts = []
    for window in read_windows(markets, at):
        for kind, judge in judges.items():
            before = known.get((window.market, kind))
            after = judge(before, window)
            if before is None and after is not None:
                new_halts.append(after)
    return new_halts


def _wait_for_other_checks() -> None:
    # Otherwise two checks at the same time could both begin a halt. The lock ends with the transaction.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('risk.volatility.check', 0))")


def _log_each(event: str, halts: Iterable[Halt]) -> None:
    for halt in halts:
        logger.warning(event, market=halt.market, kind=str(halt.kind), reason=halt.reason)
