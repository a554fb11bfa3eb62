"""What the gate decides over: frozen values, passed in by the caller (docs/risk.md V10).

Amounts are won unless a name says otherwise, volumes are coins, moments are aware.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from sysconfig.registry import ConfigKey
from sysconfig.snapshot import ConfigSnapshot
from tradingsite import trading_config

BUY = "bid"


@dataclass(frozen=True, slots=True)
class Position:
    """What the trader holds of one market by its own fills. `cost` is what was paid for it, fees in."""

    market: str
    volume: Decimal
    cost: Decimal

    @property
    def average_price(self) -> Decimal | None:
        """Return the cost of one coin; None when nothing is held."""
        return self.cost / self.volume if self.volume else None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the exchange requires of an order in one market now. Fees are shares: 0.0005 is 0.05 %."""

    market: str
    bid_fee: Decimal
    ask_fee: Decimal
    min_total: Decimal
    max_total: Decimal
    active: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What can be spent and what all is worth.

    Attributes:
        krw_free: can be spent now; what unresolved buys may still take is not in it.
        equity: won, free and locked, and our positions at their last price. Coins of others do not count.
        exposure: our positions at their last price, and what buys under way may still spend.
        day_base: equity at the first evaluation of the day in Korea; None when it is not known.
        day_result: won or lost since then, realised and unrealised, fees in.
    """

    krw_free: Decimal
    equity: Decimal
    exposure: Decimal
    day_base: Decimal | None
    day_result: Decimal | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a signal wants. `signal_price` was the price at `as_of`."""

    market: str
    side: Literal["bid", "ask"]
    confidence: Decimal
    signal_price: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The moment of the decision, and what is known of the market and of our own orders then.

    Attributes:
        halts: why buys of this market are halted, one text an open halt.
        volatility_checked_at: when `check_volatility` last succeeded.
        price: the market's last price, seen last at `price_seen_at`.
        synced: whether a reconciliation succeeded at the start of this very run.
        unresolved: orders of this market whose outcome is open.
    """

    at: datetime
    trading_enabled: bool
    halts: tuple[str, ...]
    volatility_checked_at: datetime | None
    price: Decimal | None
    price_seen_at: datetime | None
    synced: bool
    unresolved: int


@dataclass(frozen=True, slots=True)
class SignalLimits:
    """The operators' limits for any signal: all that a sell must meet."""

    min_confidence: Decimal
    signal_validity: timedelta

    @classmethod
    def of_signals(cls, config: ConfigSnapshot) -> "SignalLimits":
        """Read them. Raises UnreadableConfig: one has no valid value; there is no fallback."""
        return SignalLimits(
            min_confidence=config[trading_config.AI_MIN_CONFIDENCE],
            signal_validity=timedelta(minutes=config[trading_config.SIGNAL_VALIDITY_MIN]),
        )


@dataclass(frozen=True, slots=True)
class BuyLimits(SignalLimits):
    """All limits of a buy, from one snapshot of the configuration. `_pct` are per cent."""

    max_price_move_pct: Decimal
    daily_loss_limit_pct: Decimal
    max_exposure_pct: Decimal
    position_size_min_pct: Decimal
    position_size_max_pct: Decimal
    stop_loss_pct: Decimal

    @classmethod
    def of(cls, config: ConfigSnapshot) -> "BuyLimits":
        """Read the limits.

        Raises:
            UnreadableConfig: a limit has no valid value; there is no fallback.
        """
        return cls(
            signal_validity=timedelta(minutes=config[trading_config.SIGNAL_VALIDITY_MIN]),
            **{field: config[key] for field, key in _NUMBERS.items()},
        )


_NUMBERS = {
    "min_confidence": trading_config.AI_MIN_CONFIDENCE,
    "max_price_move_pct": trading_config.MAX_PRICE_MOVE_PCT,
    "daily_loss_limit_pct": trading_config.DAILY_LOSS_LIMIT_PCT,
    "max_exposure_pct": trading_config.MAX_EXPOSURE_PCT,
    "position_size_min_pct": trading_config.POSITION_SIZE_MIN_PCT,
    "position_size_max_pct": trading_config.POSITION_SIZE_MAX_PCT,
    "stop_loss_pct": trading_config.STOP_LOSS_PCT,
}
LIMIT_KEYS: tuple[ConfigKey[Any], ...] = (trading_config.SIGNAL_VALIDITY_MIN, *_NUMBERS.values())
"""The settings without which the gate judges nothing."""
