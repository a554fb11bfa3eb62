"""Whether the trader buys now, and if not, why, for the status page and commands (docs/risk.md V15)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from django.utils.translation import gettext, gettext_noop

from healthcheck.report import Finding
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, UnreadableConfig
from tradingsite.amounts import short
from tradingsite.risk.inputs import LIMIT_KEYS
from tradingsite.risk.models import Halt
from tradingsite.trading_config import TRADING_ENABLED, TRADING_MARKETS, VOLATILITY_COOLDOWN_MIN

StopCause = Halt | Finding
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TradingState:
    """What the trader may do now. No state stops sells or stop-losses.

    Attributes:
        halted: reasons that need an operator: trading is switched off, or a setting cannot be read.
        paused: reasons that pass by themselves.
        cooldown_min: calm minutes after which buys resume.
    """

    halted: tuple[StopCause, ...] = ()
    paused: tuple[StopCause, ...] = ()
    cooldown_min: int = 0

    @property
    def name(self) -> Literal["active", "reducing", "halted"]:
        if self.halted:
            return "halted"
        return "reducing" if self.paused else "active"

    @property
    def text(self) -> str:
        """The state with its reasons, in the active language."""
        if self.halted:
            return "; ".join(map(self._cause_text, self.halted))
        if self.paused:
            return gettext("new buys paused: %(why)s") % {
                "why": "; ".join(map(self._cause_text, self.paused))
            }
        return gettext("buying and selling")

    def _cause_text(self, cause: StopCause) -> str:
        if isinstance(cause, Finding):
            return cause.text()
        if cause.kind == Halt.Kind.OPERATOR:
            return gettext("halted by %(who)s: %(reason)s") % {"who": cause.made_by, "reason": cause.reason}
        if cause.kind == Halt.Kind.VOLATILITY and cause.move_pct is not None:
            return gettext(
                "%(market)s moved %(move)s %% in 5 min, resumes after %(minutes)s calm minutes"
            ) % {"market": cause.market, "move": short(cause.move_pct), "minutes": self.cooldown_min}
        return f"{cause.market}: {cause.explanation()}"


def states(*, others: Iterable[Finding] = ()) -> dict[str, TradingState]:
    """Return the state of each traded market, and of all of them under "".

    One query, besides settings that are read from the cache.

    Args:
        others: further reasons against new buys, which only the caller knows.
    """
    others = tuple(others)
    try:
        enabled, traded = _value(TRADING_ENABLED), _value(TRADING_MARKETS)
        cooldown_min = _value(VOLATILITY_COOLDOWN_MIN)
        for key in LIMIT_KEYS:  # the gate needs all of them
            _value(key)
    except UnreadableConfig as error:
        text = gettext_noop("%(key)s cannot be read: nothing is bought")
        return {"": TradingState(halted=(Finding("unhealthy", text, key=error.key),))}
    off = () if enabled else (Finding("warning", gettext_noop("trading_enabled is off")),)
    halts = list(Halt.objects.open().order_by("market", "started_at"))

    def of(*codes: str) -> TradingState:
        everywhere = tuple(halt for halt in halts if halt.market == "")
        market_halts = tuple(halt for halt in halts if halt.market in codes)
        return TradingState((*off, *everywhere), (*market_halts, *others), cooldown_min)

    return {"": of(*traded)} | {market: of(market) for market in traded}


def _value(key: ConfigKey[T]) -> T:
    value: T = SystemConfig.objects.get_value(key.name)
    return value
