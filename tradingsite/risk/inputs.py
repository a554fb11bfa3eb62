"""The inputs of the risk gate, as frozen values that the caller passes in (docs/risk.md V10).

Amounts are in won unless the name says otherwise, volumes in coins, times are timezone-aware.
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
    """The trader's position in one market from its own fills.

    `cost` is what was paid for it, including fees.
    """

    market: str
    volume: Decimal
    cost: Decimal

    @property
    def average_price(self) -> Decimal | None:
        """The cost of one coin; None without a position."""
        return self.cost / self.volume if self.volume else None


@dataclass(frozen=True, slots=True)
class Terms:
    """The exchange's current conditions for orders in one market. Fees are ratios: 0.0005 is 0.05 %."""

    market: str
    bid_fee: Decimal
    ask_fee: Decimal
    min_total: Decimal
    max_total: Decimal
    active: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Available money and the account's value.

    Attributes:
        krw_free: can be spent now, without what unresolved buys may still spend.
        equity: won, available and locked, and our positions at their last price. Other coins do not count.
        exposure: our positions at their last price, plus what active buys may still spend.
        day_base: equity at the first evaluation of the Korean day; None if unknown.
        day_result: profit or loss since then, realised and unrealised, including fees.
    """

    krw_free: Decimal
    equity: Decimal
    exposure: Decimal
    day_base: Decimal | None
    day_result: Decimal | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """The order that a signal proposes. `signal_price` was the price at `as_of`."""

    market: str
    side: Literal["bid", "ask"]
    confidence: Decimal
    signal_price: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The time of the decision, and the state of the market and of our own orders then.

    Attributes:
        halts: the reasons of the open halts that block buys in this market.
        volatility_checked_at: when `check_volatility` last succeeded.
        price: the market's last price, last seen at `price_seen_at`.
        synced: whether a reconciliation succeeded at the start of this run.
        unresolved: active orders of this market.
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
    """The limits for every signal; a sell needs no others."""

    min_confidence: Decimal
    signal_validity: timedelta

    @classmethod
    def for_sells(cls, config: ConfigSnapshot) -> "SignalLimits":
        """Read the limits. Raises UnreadableConfig if one has no valid value; there is no fallback."""
        return SignalLimits(
            min_confidence=config[trading_config.AI_MIN_CONFIDENCE],
            signal_validity=timedelta(minutes=config[trading_config.SIGNAL_VALIDITY_MIN]),
        )


@dataclass(frozen=True, slots=True)
class BuyLimits(SignalLimits):
    """All limits of a buy, from one configuration snapshot. `_pct` means per cent."""

    max_price_move_pct: Decimal
    daily_loss_limit_pct: Decimal
    max_exposure_pct: Decimal
    position_size_min_pct: Decimal
    position_size_max_pct: Decimal
    stop_loss_pct: Decimal

    @classmethod
    def from_config(cls, config: ConfigSnapshot) -> "BuyLimits":
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
"""The settings that the gate cannot do without."""
